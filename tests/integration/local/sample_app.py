"""A small application for the gateway's tests: template, shared code and handlers."""

from pathlib import Path

TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: dev}
  AllowedOrigins: {Type: CommaDelimitedList, Default: "https://one.example, https://two.example"}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
Globals:
  Function:
    Runtime: python3.13
    Timeout: 28
    Layers: [!Ref SharedLayer]
    Environment:
      Variables:
        STAGE: !Ref Stage
        HOME_PAGE: !Sub "https://${Stage}.example/${AWS::Region}/${!Literal}"
        SECRET: "{{resolve:ssm-secure:/presage/secret}}"
        LEVEL: !If [IsProd, WARNING, DEBUG]
Resources:
  HttpApi:
    Type: AWS::Serverless::HttpApi
    Properties:
      CorsConfiguration:
        AllowOrigins: !Ref AllowedOrigins
        AllowMethods: [GET, POST]
        AllowHeaders: [authorization, content-type]
        ExposeHeaders: [x-request-id]
        MaxAge: 600
  SharedLayer:
    Type: AWS::Serverless::LayerVersion
    Metadata: {BuildMethod: makefile}
    Properties: {ContentUri: shared/}
"""

FUNCTION = """
  {name}Function:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/sample/{stem}/
      Handler: handler.handler
      Timeout: {timeout}
      Environment: {{Variables: {{ONLY_HERE: {stem}}}}}
      Events: {events}
"""

EVENT = "{{Type: HttpApi, Properties: {{ApiId: !Ref HttpApi, Method: {method}, Path: '{path}'}}}}"

ECHO = """
import os
from sample_shared import MARK

def handler(event, context):
    return {"event": event, "mark": MARK, "stage": os.environ["STAGE"], "pid": os.getpid(),
            "id": context.aws_request_id, "name": context.function_name,
            "left_ms": context.get_remaining_time_in_millis()}
"""

ANSWER = """
import json

def handler(event, context):
    return json.loads(event["body"])
"""

MISBEHAVE = """
import os, threading, time

local = threading.local()

def handler(event, context):
    how = event["pathParameters"]["how"]
    if how == "raise":
        raise ValueError("on purpose")
    if how == "exit":
        os._exit(3)
    if how == "sleep":
        time.sleep(float(event["queryStringParameters"]["s"]))
    if how == "mine":
        local.who = event["headers"]["x-user"]
        time.sleep(0.05)
        return {"who": local.who, "same": local.who == event["headers"]["x-user"]}
    return {"how": how, "pid": os.getpid()}
"""

BROKEN = "import no_such_module\n"

ITEM = "/items/{item_id}"
SOURCES = {
    "echo": (ECHO, 28, [("GET", "/items"), ("POST", ITEM), ("GET", "/files/{path+}")]),
    "special": (
        ECHO,
        28,
        [("GET", "/items/special"), ("ANY", "/any/{x}"), ("GET", f"{ITEM}/sub")],
    ),
    "answer": (ANSWER, 28, [("POST", "/answer")]),
    "misbehave": (MISBEHAVE, 1, [("POST", "/do/{how}")]),
    "broken": (BROKEN, 28, [("GET", "/broken")]),
}


def write(root: Path) -> Path:
    """Write the application; the template's path."""
    (root / "shared").mkdir()
    (root / "shared" / "sample_shared.py").write_text("MARK = 'from the layer'\n")
    text = TEMPLATE
    for stem, (source, timeout, routes) in SOURCES.items():
        folder = root / "functions" / "sample" / stem
        folder.mkdir(parents=True)
        (folder / "handler.py").write_text(source)
        events = ", ".join(
            f"E{number}: {EVENT.format(method=method, path=path)}"
            for number, (method, path) in enumerate(routes)
        )
        text += FUNCTION.format(
            name=stem.title(), stem=stem, timeout=timeout, events="{" + events + "}"
        )
    template = root / "template.yaml"
    template.write_text(text)
    return template
