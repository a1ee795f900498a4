"""The models: a read-only volume on the bucket, one of its own for every release."""

from typing import Any

import pytest

from test.charts.chart import Rendered, render
from test.charts.cluster import mistakes


def stored(**persistence: Any) -> Rendered:
    return render({"runtime": {"persistence": persistence}})


def handle(rendered: Rendered) -> str:
    return str(rendered.one("PersistentVolume")["spec"]["csi"]["volumeHandle"])


def test_the_bucket_is_mounted_read_only() -> None:
    # When
    rendered = render()

    # Then
    volume = rendered.one("PersistentVolume")["spec"]
    assert volume["csi"]["driver"] == "s3.csi.aws.com"
    assert volume["csi"]["volumeAttributes"] == {"bucketName": "models"}
    assert volume["mountOptions"] == ["read-only", "allow-other", "region us-west-2"]
    assert rendered.volume("models")["persistentVolumeClaim"]["readOnly"] is True
    mount = {"name": "models", "mountPath": "/opt/ml/code/models", "readOnly": True}
    assert mount in rendered.runtime["volumeMounts"]


def test_claim_and_volume_belong_to_each_other() -> None:
    # When
    rendered = render(namespace="art")

    # Then
    volume, claim = rendered.one("PersistentVolume"), rendered.one("PersistentVolumeClaim")
    assert claim["spec"]["volumeName"] == volume["metadata"]["name"]
    assert claim["spec"]["storageClassName"] == volume["spec"]["storageClassName"] == ""
    reference = volume["spec"]["claimRef"]
    assert (reference["namespace"], reference["name"]) == ("art", claim["metadata"]["name"])
    assert rendered.volume("models")["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert claim["spec"]["accessModes"] == volume["spec"]["accessModes"] == ["ReadWriteMany"]
    assert claim["spec"]["resources"]["requests"]["storage"] == volume["spec"]["capacity"]["storage"] == "2Ti"


def test_each_release_has_its_own_volume_handle() -> None:
    """Kubernetes mounts a handle once: of two volumes with one handle, the second pod would wait for ever."""
    handles = [handle(render(release=release, namespace=space)) for release in ("a", "b") for space in ("x", "y")]

    assert len(set(handles)) == 4


@pytest.mark.parametrize("change", [{"bucketName": "other"}, {"cache": {"sizeLimit": "20Gi"}}, {"size": "1Ti"}])
def test_a_change_makes_a_new_volume_because_a_volume_cannot_be_changed(change: dict[str, Any]) -> None:
    before, after = render(), stored(**change)

    for kind in ("PersistentVolume", "PersistentVolumeClaim"):
        assert before.one(kind)["metadata"]["name"] != after.one(kind)["metadata"]["name"]
    assert handle(before) != handle(after)


@pytest.mark.parametrize(
    ("cache", "attributes"),
    [
        ({"sizeLimit": "20Gi"}, {"cache": "emptyDir", "cacheEmptyDirSizeLimit": "20Gi"}),
        (
            {"sizeLimit": "8Gi", "inMemory": True},
            {"cache": "emptyDir", "cacheEmptyDirSizeLimit": "8Gi", "cacheEmptyDirMedium": "Memory"},
        ),
    ],
)
def test_the_cache_can_be_set(cache: dict[str, Any], attributes: dict[str, str]) -> None:
    csi = stored(cache=cache).one("PersistentVolume")["spec"]["csi"]

    assert csi["volumeAttributes"] == {"bucketName": "models", **attributes}


def test_more_mount_options_come_after_the_charts() -> None:
    options = stored(mountOptions=["metadata-ttl 300"]).one("PersistentVolume")["spec"]["mountOptions"]

    assert options[-1] == "metadata-ttl 300"


def test_a_claim_of_the_users_is_used_as_it_is() -> None:
    # When
    rendered = stored(existingClaim="mine", bucketName="")

    # Then
    assert rendered.all("PersistentVolume") == rendered.all("PersistentVolumeClaim") == []
    assert rendered.volume("models")["persistentVolumeClaim"] == {"claimName": "mine", "readOnly": True}


def test_a_storage_class_makes_the_volume_itself() -> None:
    # When
    rendered = stored(storageClass="efs", bucketName="", accessModes=["ReadOnlyMany"], size="100Gi")

    # Then
    assert rendered.all("PersistentVolume") == []
    claim = rendered.one("PersistentVolumeClaim")
    assert claim["spec"] == {
        "storageClassName": "efs",
        "accessModes": ["ReadOnlyMany"],
        "resources": {"requests": {"storage": "100Gi"}},
    }
    assert mistakes(claim) == []


def test_without_persistence_the_models_lie_in_the_pod() -> None:
    # When
    rendered = stored(enabled=False, bucketName="")

    # Then
    assert rendered.volume("models") == {"name": "models", "emptyDir": {}}
    (mount,) = (mount for mount in rendered.runtime["volumeMounts"] if mount["name"] == "models")
    assert mount["readOnly"] is False


def test_labels_and_annotations_are_on_volume_and_claim() -> None:
    rendered = stored(labels={"team": "art"}, annotations={"note": "mine"})

    for kind in ("PersistentVolume", "PersistentVolumeClaim"):
        metadata = rendered.one(kind)["metadata"]
        assert metadata["labels"]["team"] == "art"
        assert metadata["annotations"] == {"note": "mine"}
