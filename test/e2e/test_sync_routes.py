"""The request samples of the services whose APIs these are, on the platform of one machine with the real models.

Of each sample only the hosts are replaced. The API of the first platform is open, as the samples have no key; that of
the second takes signed requests, as the services' usual setting does.
"""

import asyncio
import base64
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import yaml
from aiohttp import ClientSession
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from PIL import Image, ImageFont

from test.support.drawings import encoded, likeness, overlap, page, person, photograph, psnr
from test.support.image_kit import fetched_font, fetched_weights
from test.support.platform import PATIENCE, Running, running
from test.support.web import Site, a_site
from utils.local.cloud import LOCAL_CREDENTIALS, REGION
from utils.local.services import ROOT

SD = {"name": "sd", "namespace": "default", "type": "sdwebui", "modelFilename": "v1-5-pruned-emaonly.safetensors"}
FUNCTION = {"backend": "function"}

OPEN = {
    "modelBucketArn": "arn:aws:s3:::models",
    "APIGW": {"auth": "NONE", "stageName": "prod"},
    "modelsRuntime": [SD],
    "allowedLinkHosts": ["127.0.0.0/8"],
    "sync": {"imageKit": FUNCTION, "textToImage": {"runtime": "sd", "path": "route"}},
}
SIGNED = {
    **OPEN,
    "APIGW": {"auth": "AWS_IAM", "stageName": "prod"},
    "sync": {"imageKit": FUNCTION, "textToImage": {"backend": "sagemaker", "endpointName": "jumpstart-sd"}},
}

API, FILES = "https://xxxxxxxxxxx.execute-api.xxxxxxxxx.amazonaws.com", "https://aikits.demo.solutions.aws.a2z.org.cn"
"""The hosts of the samples."""

CURL = """curl --location --request POST '{api}/prod/{route}' \\
--header 'Content-Type: application/json' \\
--data-raw '{{
  "url":"{files}/img/{file}"
}}'
"""

PYTHON = """
import requests
import json

url = "{api}/prod/{route}"

payload = json.dumps({{
  "url": "{files}/img/{file}"
}})
headers = {{
  'Content-Type': 'application/json'
}}

response = requests.request("POST", url, headers=headers, data=payload)

print(response.text)

"""

pytestmark = pytest.mark.slow


def _started(factory: pytest.TempPathFactory, config: dict[str, Any]) -> Iterator[Running]:
    fetched_weights()
    folder = factory.mktemp("sync")
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    with running(folder / "output", "--config", str(path)) as started:
        yield started


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    yield from _started(tmp_path_factory, OPEN)


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    yield from _started(tmp_path_factory, SIGNED)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with a_site() as started:
        yield started


async def _run(language: str, text: str) -> Any:
    command = ["bash", "-c", text] if language == "curl" else [sys.executable, "-c", text]
    environment = {"PATH": os.environ["PATH"]}
    ran = await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    return json.loads(ran.stdout)


def _sample(language: str, route: str, file: str, platform: Running, site: Site) -> str:
    """The sample with the hosts of the platform and of the site in place of its own."""
    text = (CURL if language == "curl" else PYTHON).format(api=API, files=FILES, route=route, file=file)
    api = platform.addresses.endpoint.removesuffix("/prod/")
    return text.replace(API, api).replace(FILES, str(site.url).rstrip("/"))


def _image(answer: Any) -> Image.Image:
    assert list(answer) == ["result"], answer
    return Image.open(io.BytesIO(base64.b64decode(answer["result"], validate=True)))


@pytest.mark.parametrize("language", ["curl", "python"])
async def test_the_sample_of_super_resolution_enlarges_twofold(opened: Running, site: Site, language: str) -> None:
    # Given
    original = photograph(320, 240)
    small = original.resize((160, 120), Image.Resampling.BICUBIC)
    site.serve("/img/sr-5.jpg", encoded(small))

    # When
    enlarged = _image(await _run(language, _sample(language, "resolution", "sr-5.jpg", opened, site)))

    # Then
    lanczos = small.resize(original.size, Image.Resampling.LANCZOS)
    assert psnr(enlarged, original) >= psnr(lanczos, original) + 1.0


@pytest.mark.parametrize("language", ["curl", "python"])
async def test_the_sample_of_human_segmentation_gives_the_alpha_channel(
    opened: Running, site: Site, language: str
) -> None:
    # Given
    image, drawn = person(320, 320)
    site.serve("/img/seg-2.jpg", encoded(image, "JPEG"))

    # When
    mask = _image(await _run(language, _sample(language, "seg", "seg-2.jpg", opened, site)))

    # Then
    assert (mask.mode, mask.size) == ("L", image.size)
    assert overlap(mask, drawn) >= 0.95


@pytest.mark.parametrize("language", ["curl", "python"])
@pytest.mark.parametrize("route", ["ocr", "lite-ocr"])
async def test_text_is_read_in_the_form_of_the_sample(opened: Running, site: Site, language: str, route: str) -> None:
    # Given
    image, _ = page(["image kit 2026"], ImageFont.truetype(str(fetched_font()), 28), 400)
    site.serve("/img/page.png", encoded(image))

    # When
    lines = await _run(language, _sample(language, route, "page.png", opened, site))

    # Then
    (line,) = lines
    assert likeness(["image kit 2026"], [line["words"]]) == 1
    assert sorted(line) == ["location", "score", "words"]
    assert sorted(line["location"]) == ["height", "left", "top", "width"]


async def test_the_sample_of_images_from_text_gives_a_link_that_opens(opened: Running) -> None:
    # Given
    api = opened.addresses.endpoint.removesuffix("/prod/")

    # When
    async with ClientSession() as http, http.get(f"{api}/prod/route?prompt=cyborg_tiger") as answer:
        status, body = answer.status, await answer.json()
        async with http.get(body["url"]) as file:
            image = Image.open(io.BytesIO(await file.read()))

    # Then
    assert (status, sorted(body), body["prompt"]) == (200, ["prompt", "url"], "cyborg_tiger")
    assert image.size == (512, 512)


async def test_images_from_text_need_a_prompt(opened: Running) -> None:
    async with ClientSession() as http, http.get(opened.addresses.endpoint + "route") as answer:
        assert (answer.status, (await answer.json())["errors"][0]["field"]) == (400, "prompt")


async def test_the_link_wins_over_the_image(opened: Running, site: Site) -> None:
    # Given
    link = site.serve("/img/small.png", encoded(Image.new("RGB", (20, 10))))
    other = base64.b64encode(encoded(Image.new("RGB", (50, 50)))).decode()

    # When
    async with (
        ClientSession(opened.addresses.endpoint) as http,
        http.post("resolution", json={"url": link, "img": other, "scale": 4}) as answer,
    ):
        image = _image(await answer.json())

    # Then
    assert image.size == (80, 40)


@pytest.mark.parametrize(
    ("route", "body", "message"),
    [
        ("resolution", {}, "invalid param"),
        ("resolution", {"img": "bm8gaW1hZ2U="}, "invalid param"),
        ("resolution", {"img": "bm8gaW1hZ2U=", "scale": 3}, "invalid param"),
        ("seg", {"img": "bm8gaW1hZ2U=", "type": "hair"}, "invalid param"),
        ("ocr", {"url": "http://169.254.169.254/latest/meta-data"}, "parameter `url` illegal"),
        ("ocr", {"url": "s3://not-an-input-bucket/a.png"}, "parameter `url` illegal"),
    ],
)
async def test_a_wrong_request_is_400_as_the_services_say_it(
    opened: Running, route: str, body: dict[str, Any], message: str
) -> None:
    async with ClientSession(opened.addresses.endpoint) as http, http.post(route, json=body) as answer:
        answered = await answer.json()

    assert (answer.status, answered["message"]) == (400, message)
    assert answered["errors"]


def _signature(method: str, url: str, body: bytes = b"") -> dict[str, str]:
    request = AWSRequest(method, url, data=body, headers={"Content-Type": "application/json"})
    SigV4Auth(Credentials(*LOCAL_CREDENTIALS), "execute-api", REGION).add_auth(request)
    return dict(request.headers.items())


async def test_a_signed_request_is_answered_by_the_function(signed: Running) -> None:
    # Given
    url = signed.addresses.endpoint + "super-resolution"
    body = json.dumps({"img": base64.b64encode(encoded(Image.new("RGB", (16, 8)))).decode()}).encode()

    # When
    async with ClientSession() as http, http.post(url, data=body, headers=_signature("POST", url, body)) as answer:
        image = _image(await answer.json())

    # Then
    assert image.size == (32, 16)


@pytest.mark.parametrize("path", ["super-resolution", "v1alpha2"])
async def test_an_unsigned_request_is_403(signed: Running, path: str) -> None:
    async with ClientSession() as http, http.post(signed.addresses.endpoint + path, json={}) as answer:
        assert (answer.status, await answer.json()) == (403, {"message": "Missing Authentication Token"})


async def test_a_signed_request_for_an_image_from_text_is_answered_by_the_endpoint(signed: Running) -> None:
    # Given
    jpeg = encoded(Image.new("RGB", (8, 8)), "JPEG")
    result = {"Body": json.dumps({"generated_images": [base64.b64encode(jpeg).decode()], "prompt": "a"})}
    results = {"results": [{**result, "ContentType": "application/json"}], "region": REGION}
    url = signed.addresses.endpoint + "text-to-image?prompt=cyborg_tiger"

    # When
    async with ClientSession() as http:
        primed = f"{signed.addresses.aws_endpoint_url}/moto-api/static/sagemaker/endpoint-results"
        async with http.post(primed, json=results) as answer:
            assert answer.status == 201, await answer.text()
        async with http.get(url, headers=_signature("GET", url)) as answer:
            status, body = answer.status, await answer.json()
        async with http.get(body["url"]) as file:
            opened = await file.read()

    # Then
    assert (status, body["prompt"], opened) == (200, "cyborg_tiger", jpeg)


async def test_the_script_of_the_guides_requests_signs_them(signed: Running) -> None:
    # Given
    key, secret = LOCAL_CREDENTIALS
    credentials = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_DEFAULT_REGION": REGION}
    variables = {"ENDPOINT": signed.addresses.endpoint, "AUTH": "AWS_IAM", "PATH": os.environ["PATH"]}

    # When
    ran = await asyncio.to_thread(
        subprocess.run,
        [str(ROOT / "test" / "run.sh"), "--runtime", "sd"],
        env={**variables, **credentials},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    # Then
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "v1alpha2-text-to-image           200" in ran.stdout


GUIDE = (ROOT / "docs" / "en" / "how-to" / "image-kit.md").read_text()
BLOCKS = re.findall(r"```(bash|python)\n(.*?)```", GUIDE, re.DOTALL)
OF_TEXT = [(language, text) for language, text in BLOCKS if "text-to-image" in text]
OF_SIGNATURES = [(language, text) for language, text in BLOCKS if "execute-api" in text]


async def _run_sample(platform: Running, language: str, text: str) -> Any:
    key, secret = LOCAL_CREDENTIALS
    variables = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": "", "API_KEY": ""}
    exports = "".join(f"export {name}={value}\n" for name, value in variables.items())
    endpoint = f"export ENDPOINT={platform.addresses.endpoint}\n"
    program = f"{sys.executable} - <<'END'\n{text}\nEND" if language == "python" else text
    return await _run("curl", exports + endpoint + program)


@pytest.mark.parametrize(("language", "text"), OF_TEXT, ids=[language for language, _ in OF_TEXT])
async def test_the_guides_sample_of_images_from_text_is_answered(opened: Running, language: str, text: str) -> None:
    answer = await _run_sample(opened, language, text.replace("text-to-image", "route"))

    assert (sorted(answer), answer["prompt"]) == (["prompt", "url"], "cyborg tiger")


@pytest.mark.parametrize(("language", "text"), OF_SIGNATURES, ids=[language for language, _ in OF_SIGNATURES])
async def test_the_guides_samples_of_signatures_are_let_in(signed: Running, language: str, text: str) -> None:
    answer = await _run_sample(signed, language, text.replace("us-west-2", REGION))

    assert [one["name"] for one in answer["runtimes"]] == ["sd"]


def test_the_guide_has_these_samples() -> None:
    assert [language for language, _ in OF_TEXT] == ["bash"]
    assert [language for language, _ in OF_SIGNATURES] == ["bash", "python"]
