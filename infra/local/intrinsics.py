"""CloudFormation's functions, resolved as far as a local stack needs them."""

import re
from collections.abc import Mapping
from typing import Any

_PSEUDO: dict[str, Any] = {
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "000000000000",
    "AWS::Partition": "aws",
    "AWS::StackName": "presage-local",
    "AWS::StackId": "arn:aws:cloudformation:us-east-1:000000000000:stack/presage-local/0",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::NoValue": None,
}
_PLACEHOLDER = re.compile(r"\$\{([^!}][^}]*)\}")


class Resolver:
    """Resolves Ref, Sub, Join, Split, Select, GetAtt, If and conditions to plain values.

    References to resources become their logical id (`GetAtt` adds `.attribute`): enough to see
    what belongs where, and a stack's own environment replaces what has to be real.
    """

    def __init__(self, template: Mapping[str, Any], overrides: Mapping[str, str]) -> None:
        self._conditions = template.get("Conditions", {})
        self._values: dict[str, Any] = dict(_PSEUDO)
        for name, declared in template.get("Parameters", {}).items():
            value = overrides.get(name, declared.get("Default", ""))
            is_list = "List" in declared.get("Type", "")
            self._values[name] = str(value).split(",") if is_list and value != "" else value

    def resolve(self, value: Any) -> Any:  # noqa: ANN401 - a template is any JSON
        """The value with every known function in it replaced; null members are left out."""
        if isinstance(value, list):
            return [done for one in value if (done := self.resolve(one)) is not None]
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            if name == "Ref":
                return self._values.get(argument, argument)
            if name == "Condition" and isinstance(argument, str):
                return self.holds(argument)
            if name.startswith("Fn::"):
                return self._function(name.removeprefix("Fn::"), argument)
        resolved = {name: self.resolve(one) for name, one in value.items()}
        return {name: one for name, one in resolved.items() if one is not None}

    def holds(self, condition: str) -> bool:
        """Whether a named condition of the template is true."""
        return bool(self.resolve(self._conditions[condition]))

    def _function(self, name: str, argument: Any) -> Any:  # noqa: ANN401, PLR0911 - one per function
        if name == "If":
            condition, then, otherwise = argument
            return self.resolve(then if self.holds(condition) else otherwise)
        if name == "Sub":
            return self._substitute(argument)
        if name == "GetAtt":
            return argument if isinstance(argument, str) else ".".join(argument)
        given = self.resolve(argument)
        match name, given:
            case "Join", [separator, parts]:
                return separator.join(str(part) for part in parts)
            case "Split", [separator, text]:
                return text.split(separator)
            case "Select", [index, items]:
                return items[int(index)]
            case "Equals", [left, right]:
                return str(left) == str(right)
            case "Not", [condition]:
                return not condition
            case (("And" | "Or"), list()):
                return all(given) if name == "And" else any(given)
        return {f"Fn::{name}": given}

    def _substitute(self, argument: str | list[Any]) -> str:
        text, extra = (argument, {}) if isinstance(argument, str) else argument
        known = self._values | self.resolve(extra)

        def put(match: re.Match[str]) -> str:
            value = known.get(match[1], match[1])
            return ",".join(value) if isinstance(value, list) else str(value)

        return _PLACEHOLDER.sub(put, text).replace("${!", "${")
