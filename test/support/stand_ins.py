"""The AWS services that moto has only in part, on loopback: recorded answers, changed by what a test sets."""

import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from infra.versions import EKS_ADDONS

Answer = tuple[int, dict[str, Any]]

NOT_KNOWN: Answer = (400, {"__type": "InvalidAction"})


@dataclass
class SystemsManager:
    """What the tests set, and what was asked. A pull of an image that holds ``broken`` fails."""

    parameters: dict[str, str] = field(default_factory=dict)
    online: bool = True
    broken: str = "no image has this"
    commands: list[str] = field(default_factory=list)

    def answer(self, action: str, asked: Mapping[str, Any]) -> Answer:
        match action:
            case "GetParameter":
                if value := self.parameters.get(asked["Name"]):
                    return 200, {"Parameter": {"Name": asked["Name"], "Value": value}}
                return 400, {"__type": "ParameterNotFound"}
            case "DescribeInstanceInformation":
                (instance,) = asked["Filters"][0]["Values"]
                one = {"InstanceId": instance, "PingStatus": "Online" if self.online else "ConnectionLost"}
                return 200, {"InstanceInformationList": [one]}
            case "SendCommand":
                self.commands += asked["Parameters"]["commands"]
                return 200, {"Command": {"CommandId": f"{len(self.commands) - 1:036d}"}}
            case "GetCommandInvocation":
                command = self.commands[int(asked["CommandId"])]
                failed = {"Status": "Failed", "StandardErrorContent": f"not found: {command}"}
                done = {"Status": "Success", "StandardErrorContent": "", "StandardOutputContent": "done"}
                return 200, failed if self.broken in command else done
        return NOT_KNOWN


@dataclass
class CodeBuild:
    """Builds that end when they are looked at for the second time. ``push`` is called with the project then.

    ``status`` is what they end with; ``running``: builds that were started before, by their projects.
    """

    push: Callable[[str], None] = lambda project: None
    status: str = "SUCCEEDED"
    running: dict[str, str] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    looks: dict[str, int] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)

    def answer(self, action: str, asked: Mapping[str, Any]) -> Answer:
        match action:
            case "ListBuildsForProject":
                found = self.running.get(asked["projectName"])
                return 200, {"ids": [found] if found else []}
            case "StartBuild":
                project = asked["projectName"]
                self.started.append(project)
                self.running[project] = f"{project}:{len(self.started)}"
                return 200, {"build": self._build(self.running[project])}
            case "BatchGetBuilds":
                return 200, {"builds": [self._looked_at(build) for build in asked["ids"]]}
        return NOT_KNOWN

    def _looked_at(self, build: str) -> dict[str, Any]:
        self.looks[build] = self.looks.get(build, 0) + 1
        if self.looks[build] > 1 and build not in self.ended:
            self.ended[build] = self.status
            if self.status == "SUCCEEDED":
                self.push(build.partition(":")[0])
        return self._build(build)

    def _build(self, build: str) -> dict[str, Any]:
        return {
            "id": build,
            "buildStatus": self.ended.get(build, "IN_PROGRESS"),
            "currentPhase": "COMPLETED" if build in self.ended else "BUILD",
            "logs": {"groupName": "/builds", "streamName": "one", "deepLink": "https://console.example.com/one"},
        }


@dataclass
class ServiceQuotas:
    """Values by quota code; ``builds``: of CodeBuild, by the quota's name."""

    values: dict[str, float] = field(
        default_factory=lambda: {"L-3819A6DF": 768, "L-DB2E81BA": 768, "L-F678F1CE": 5, "L-0263D0A3": 5}
    )
    builds: dict[str, float] = field(
        default_factory=lambda: {
            "Concurrently running builds for Linux/Small environment": 1,
            "Concurrently running builds for Linux/Large environment": 0,
        }
    )
    refused: bool = False

    def answer(self, action: str, asked: Mapping[str, Any]) -> Answer:
        if self.refused:
            return 400, {"__type": "AccessDeniedException", "message": "not authorized"}
        match action:
            case "GetServiceQuota":
                if asked["QuotaCode"] in self.values:
                    return 200, {"Quota": {"Value": self.values[asked["QuotaCode"]]}}
                return 400, {"__type": "NoSuchResourceException"}
            case "GetAWSDefaultServiceQuota":
                return 200, {"Quota": {"Value": 0.0}}
            case "ListServiceQuotas":
                return 200, {"Quotas": [{"QuotaName": name, "Value": value} for name, value in self.builds.items()]}
        return NOT_KNOWN


@dataclass
class Eks:
    """``versions``: Kubernetes versions with their status; ``addons``: an add-on's versions."""

    versions: dict[str, str] = field(
        default_factory=lambda: {"1.36": "STANDARD_SUPPORT", "1.35": "STANDARD_SUPPORT", "1.31": "EXTENDED_SUPPORT"}
    )
    addons: dict[str, list[str]] = field(
        default_factory=lambda: {name: [version] for name, version in EKS_ADDONS["1.35"].items()}
    )

    def answer(self, path: str, asked: Mapping[str, str]) -> Answer:
        match path:
            case "/cluster-versions":
                listed = [{"clusterVersion": one, "versionStatus": status} for one, status in self.versions.items()]
                return 200, {"clusterVersions": listed}
            case "/addons/supported-versions":
                name = asked["addonName"]
                versions = [{"addonVersion": one} for one in self.addons[name]]
                return 200, {"addons": [{"addonName": name, "addonVersions": versions}] if versions else []}
        return 404, {}


@dataclass
class StandIns:
    """All of them; ``reset`` makes them as they began."""

    ssm: SystemsManager = field(default_factory=SystemsManager)
    codebuild: CodeBuild = field(default_factory=CodeBuild)
    quotas: ServiceQuotas = field(default_factory=ServiceQuotas)
    eks: Eks = field(default_factory=Eks)

    def reset(self) -> None:
        self.__init__()  # type: ignore[misc]  # as it began

    def answer(self, target: str, asked: Mapping[str, Any]) -> Answer:
        service, _, action = target.partition(".")
        for name, one in (("AmazonSSM", self.ssm), ("CodeBuild", self.codebuild), ("ServiceQuotas", self.quotas)):
            if service.startswith(name):
                return one.answer(action, asked)
        return NOT_KNOWN


@contextmanager
def served(stand_ins: StandIns) -> Iterator[dict[str, str]]:
    """The environment in which the SDK finds them."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(stand_ins))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        yield {f"AWS_ENDPOINT_URL_{name}": url for name in ("SSM", "CODEBUILD", "SERVICE_QUOTAS", "EKS")}
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(stand_ins: StandIns) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._send(stand_ins.answer(self.headers["X-Amz-Target"], asked), "application/x-amz-json-1.1")

        def do_GET(self) -> None:
            where = urllib.parse.urlsplit(self.path)
            asked = dict(urllib.parse.parse_qsl(where.query))
            self._send(stand_ins.eks.answer(where.path, asked), "application/json")

        def _send(self, answer: Answer, content_type: str) -> None:
            status, content = answer
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the library's name)
            pass

    return Handler
