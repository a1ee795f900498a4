"""What the guide takes from the code is up to date, whole, and in both languages."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest
from openapi_spec_validator import validate

from contract.catalog import Catalog, RuntimeEntry
from contract.runtimes import RuntimeType, TaskType
from infra.config.resources import MAX_RUNTIMES
from utils.guide import keys, metrics, site, translation, values
from utils.guide.__main__ import DOCS, PARTS, files
from utils.guide.openapi import VERSIONS, document
from utils.local.services import ROOT
from utils.smoke import samples


def test_every_file_is_up_to_date() -> None:
    old = [str(path) for path, text in files() if not path.is_file() or path.read_text("utf-8") != text]

    assert not old, "run python -m utils.guide"


def test_the_check_ends_well_when_all_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "utils.guide", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_both_languages_have_every_page_with_a_part_that_is_made() -> None:
    assert {path for path, _ in files() if path.suffix == ".md"} == {
        DOCS / language / page for language in translation.LANGUAGES for page in PARTS
    }


def test_every_chinese_sentence_is_of_use(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    used = set()

    def translated(sentence: str, language: str) -> str:
        used.add(sentence)
        return translation.translated(sentence, language)

    for module in (keys, metrics, values):
        monkeypatch.setattr(module, "translated", translated)

    # When
    for made in (keys.key_tables, metrics.metric_table, values.value_tables):
        made("zh")

    # Then
    assert set(translation.sentences()) - used == set()


def test_a_sentence_without_chinese_is_told() -> None:
    with pytest.raises(LookupError, match="lacks 'A new sentence"):
        translation.translated("A new sentence.", "zh")


def test_a_key_without_a_meaning_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    meanings = tmp_path / "keys.yaml"
    text = keys.MEANINGS.read_text("utf-8")
    meanings.write_text(text.replace("vpc.flowLogs:", "vpc.flowLog:"), "utf-8")
    monkeypatch.setattr(keys, "MEANINGS", meanings)

    # Then
    with pytest.raises(LookupError, match=r"vpc\.flowLog, vpc\.flowLogs"):
        keys.key_tables("en")


def test_the_limit_of_runtimes_is_told() -> None:
    assert f"A stack holds {MAX_RUNTIMES} runtimes" in (DOCS / "en" / "reference" / "config.md").read_text("utf-8")
    assert f"一个堆栈最多 {MAX_RUNTIMES} 个运行时" in (DOCS / "zh" / "reference" / "config.md").read_text("utf-8")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_document_is_openapi(version: str) -> None:
    validate(document(version))


@pytest.mark.parametrize("name", samples.NAMES)
def test_the_document_allows_the_requests_of_the_guide(name: str) -> None:
    schema = document(samples.version(name))

    jsonschema.validate(samples.request(name), {**schema, "$ref": "#/components/schemas/Request"})


def test_the_document_of_a_deployment_names_its_runtimes_only() -> None:
    # Given
    catalog = Catalog((RuntimeEntry("mine", RuntimeType.COMFYUI),))

    # When
    text = json.dumps(document("v1alpha2", catalog))

    # Then
    assert '"enum": ["mine"]' in text
    assert [tasktype for tasktype in TaskType if f'"const": "{tasktype}"' in text] == [TaskType.PIPELINE]


def test_chinese_words_are_parted_and_nothing_else() -> None:
    assert site.parted("更换模型 dynamicModel") == "更换\u200b模型 dynamicModel"


@pytest.mark.parametrize(
    ("url", "base", "here"),
    [
        ("use/links/", "../..", "../.."),
        ("zh/", "..", "."),
        ("zh/use/", "../..", ".."),
        ("zh/use/links/", "../../..", "../.."),
    ],
)
def test_chinese_pages_search_in_their_own_folder(url: str, base: str, here: str) -> None:
    page = SimpleNamespace(url=url)

    assert site.on_post_page(f'{{"base": "{base}"}}', page, None) == f'{{"base": "{here}"}}'  # type: ignore[arg-type]
