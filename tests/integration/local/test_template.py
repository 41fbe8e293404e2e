"""Routes, functions and CORS out of a SAM template."""

from pathlib import Path

import pytest

from infra.local.intrinsics import Resolver
from infra.local.router import Router
from infra.local.template import Cors, Function, HttpApi, Route, TemplateError, load

from . import sample_app


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> HttpApi:
    root = tmp_path_factory.mktemp("template")
    return load(sample_app.write(root), environment={"STAGE": "test"})


def test_routes_are_the_templates(api: HttpApi) -> None:
    assert sorted(route.key for route in api.routes) == [
        "ANY /any/{x}",
        "GET /broken",
        "GET /files/{path+}",
        "GET /items",
        "GET /items/special",
        "GET /items/{item_id}/sub",
        "POST /answer",
        "POST /do/{how}",
        "POST /items/{item_id}",
    ]


def test_functions_have_code_and_environment(api: HttpApi) -> None:
    function = api.functions["MisbehaveFunction"]
    assert function.code.parts[-3:] == ("functions", "sample", "misbehave")
    assert (function.handler, function.timeout_s, function.memory_mb) == ("handler.handler", 1, 128)
    assert function.environment == {
        "STAGE": "test",
        "HOME_PAGE": "https://test.example/us-east-1/${Literal}",
        "LEVEL": "DEBUG",
        "ONLY_HERE": "misbehave",
    }


def test_cors(api: HttpApi) -> None:
    assert api.cors == Cors(
        origins=("https://one.example", "https://two.example"),
        methods=("GET", "POST"),
        headers=("authorization", "content-type"),
        expose=("x-request-id",),
        max_age_s=600,
    )


def test_a_wrong_template_says_why(tmp_path: Path) -> None:
    text = (
        sample_app.TEMPLATE
        + """
  NakedFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: nowhere/
      Events:
        Api: {Type: HttpApi, Properties: {ApiId: !Ref HttpApi, Method: GET, Path: /x}}
"""
    )
    template = tmp_path / "template.yaml"
    template.write_text(text)
    with pytest.raises(TemplateError, match="NakedFunction"):
        load(template)


def test_intrinsics() -> None:
    template = {
        "Parameters": {
            "Names": {"Type": "CommaDelimitedList", "Default": "a,b"},
            "On": {"Type": "String", "Default": "yes"},
        },
        "Conditions": {
            "IsOn": {"Fn::Equals": [{"Ref": "On"}, "yes"]},
            "Both": {"Fn::And": [{"Condition": "IsOn"}, {"Fn::Not": [{"Condition": "IsOn"}]}]},
        },
    }
    resolver = Resolver(template, {})
    assert resolver.resolve({"Fn::Join": ["-", {"Ref": "Names"}]}) == "a-b"
    assert resolver.resolve({"Fn::Select": [1, {"Fn::Split": ["/", "x/y"]}]}) == "y"
    assert resolver.resolve({"Fn::GetAtt": ["Role", "Arn"]}) == "Role.Arn"
    assert resolver.resolve({"Fn::Sub": ["${A}-${On}", {"A": {"Ref": "Names"}}]}) == "a,b-yes"
    assert resolver.resolve({"Fn::If": ["Both", "then", "else"]}) == "else"
    assert resolver.resolve({"a": {"Fn::If": ["IsOn", {"Ref": "AWS::NoValue"}, "x"]}, "b": 1}) == {
        "b": 1
    }


@pytest.mark.parametrize(
    ("method", "path", "key", "parameters"),
    [
        ("GET", "/pets/dog/1", "GET /pets/dog/1", {}),
        ("GET", "/pets/dog/2", "GET /pets/dog/{id}", {"id": "2"}),
        ("POST", "/pets/dog/1", "ANY /pets/{proxy+}", {"proxy": "dog/1"}),
        ("GET", "/pets/cat", "ANY /pets/{proxy+}", {"proxy": "cat"}),
        ("GET", "/pets/dog/a%2Fb%20c", "GET /pets/dog/{id}", {"id": "a/b c"}),
        ("GET", "/other", "$default", {}),
        ("GET", "/pets", "$default", {}),
        ("GET", "/pets/dog/", "ANY /pets/{proxy+}", {"proxy": "dog/"}),
    ],
)
def test_the_most_specific_route_wins(
    method: str, path: str, key: str, parameters: dict[str, str]
) -> None:
    function = Function("F", Path(), "handler.handler", 3, 128, {})
    router = Router(
        Route(*one, function)
        for one in (
            ("ANY", "$default"),
            ("ANY", "/pets/{proxy+}"),
            ("GET", "/pets/dog/{id}"),
            ("GET", "/pets/dog/1"),
        )
    )
    found = router.find(method, path)
    assert found is not None
    assert (found[0].key, found[1]) == (key, parameters)


def test_nothing_matches_without_a_default_route() -> None:
    function = Function("F", Path(), "handler.handler", 3, 128, {})
    router = Router([Route("GET", "/a/{b}", function)])
    for method, path in (("GET", "/a"), ("GET", "/a/"), ("GET", "/a/b/c"), ("POST", "/a/b")):
        assert router.find(method, path) is None
