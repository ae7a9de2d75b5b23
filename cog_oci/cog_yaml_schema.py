"""The JSON Schema of cog.yaml, for editors: they complete its keys and mark mistakes while it is written.

It is made from the models that check the file. Rules that JSON Schema cannot tell stay with the check, so that the
schema allows whatever the check does, and somewhat more.
"""

from __future__ import annotations

from typing import Any

from cog_oci.cog_yaml import PYTHON_VERSIONS, Config
from cog_oci.cog_yaml_debian import PACKAGE

__all__ = ["cog_yaml_schema"]

Json = dict[str, Any]

_ONE_MODEL = r"^[^:]+\.py(:[A-Za-z_]\w*)?$"

_COMMAND: dict[tuple[str, ...], tuple[str, Json]] = {
    ("command",): ("For /bin/sh -c, as root in /. The project's files are not there.", {}),
    ("mounts",): ("Secrets that are files while it runs, and are never in a layer.", {}),
    ("mounts", "type"): ("What is mounted.", {}),
    ("mounts", "id"): ("What `--secret id=NAME` calls it on the command line.", {}),
    ("mounts", "target"): ("The file's whole path; /run/secrets/ID without it.", {}),
    ("network",): ("Whether it may use the network.", {}),
}

_VERSION: Json = {"type": ["string", "number", "null"]}
"""Of a version that YAML may take for a number."""

_SAID: dict[tuple[str, ...], tuple[str, Json]] = {
    ("build",): ("What the image is made of: the part that cog.lock depends on.", {}),
    ("build", "gpu"): ("Whether the model needs a GPU.", {}),
    ("build", "cuda"): ("The CUDA of a GPU image, where its wheels bring none.", _VERSION),
    ("build", "cudnn"): ("The cuDNN that goes with it.", _VERSION),
    ("build", "python_version"): ("The Python that the model runs on, in quotes or without.", {}),
    ("build", "sdk_version"): (
        "The version of Cog's SDK, or prerelease. It changes nothing: images have the SDK of this tool.",
        _VERSION,
    ),
    ("build", "base_image"): (
        "An image to build on, as host/name:tag or host/name@sha256:…, with a Python and glibc in it.",
        {},
    ),
    ("build", "python_requirements"): ("The requirements file with the model's Python packages.", {}),
    ("build", "python_packages"): (
        "Python packages as requirements (PEP 508). Deprecated: use a requirements file and python_requirements.",
        {"deprecated": True},
    ),
    ("build", "system_packages"): (
        "Debian packages, each as `name`, `name=version` or a mapping of name, version and recommends.",
        {},
    ),
    ("build", "system_packages", "name"): ("The package's name.", {}),
    ("build", "system_packages", "version"): ("This version and no other.", {"type": ["string", "number", "null"]}),
    ("build", "system_packages", "recommends"): ("Whether what it recommends comes along, as apt does it.", {}),
    ("build", "system_effects"): (
        "By Debian package, what becomes of its scripts whose effect is not known: left out, or run in the sandbox.",
        {},
    ),
    ("build", "apt"): ("More Debian archives, and more of Debian's own.", {}),
    ("build", "apt", "name"): (
        "What the lock calls it; debian and debian-security are Debian's own.",
        {"pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"},
    ),
    ("build", "apt", "url"): ("Where it is; COG_APT_NAME says otherwise on a machine. Logins do not belong here.", {}),
    ("build", "apt", "suite"): ("The suite, or a folder with a slash at its end (./) that has everything in it.", {}),
    ("build", "apt", "components"): ("The parts of the suite, such as main. A folder has none.", {}),
    ("build", "apt", "key"): ("The key that signs it: a file of the project, or an address.", {}),
    ("build", "apt", "fingerprint"): ("The fingerprint of that key; needed where it has an address.", {}),
    ("build", "apt", "priority"): ("How much it counts against others, as apt's pins do: 500 is usual.", {}),
    ("build", "pre_install"): ("Commands that build the image, before its Python packages are there.", {}),
    ("build", "run"): ("Commands that build the image: each a text, or a mapping of command, mounts, network.", {}),
    **{("build", key, *keys): words for key in ("pre_install", "run") for keys, words in _COMMAND.items()},
    ("image",): ("What the image is called: a name, or a mapping of name and compression.", {}),
    ("image", "name"): ("The name, as in registry.example.com/you/model.", {}),
    ("image", "compression"): ("How layers travel when the command line does not say.", {}),
    ("run",): ("The model, as `run.py:Runner` or `run.py:function`.", {"pattern": _ONE_MODEL}),
    ("predict",): (
        "The model, by the key's former name. Deprecated: use run.",
        {"deprecated": True, "pattern": _ONE_MODEL},
    ),
    ("train",): (
        "The function that trains the model, as `train.py:train`, for a server started with --x-mode train.",
        {"pattern": _ONE_MODEL},
    ),
    ("environment",): ("Variables of the container, each as NAME=VALUE.", {}),
    ("concurrency",): ("How many predictions run at once.", {}),
    ("concurrency", "max"): (
        "At least 1; more than one needs an async run(). @cog.concurrent(max=N) in the source says the same.",
        {},
    ),
    ("indexes",): (
        "Package indexes by name, the preferred one first; the default one comes last. Logins do not belong here.",
        {"propertyNames": {"pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"}},
    ),
    ("cache",): ("Where built layers are kept for others: a repository, or a mapping of ref and push.", {}),
    ("cache", "ref"): ("The repository, without a tag, as in registry.example.com/you/cache.", {}),
    ("cache", "push"): ("Whether whoever pushes an image leaves its layers there.", {}),
}
"""What each key is for, and what the models check in functions of their own."""

_ITEMS: dict[tuple[str, ...], Json] = {
    ("environment",): {"pattern": "^[^=]+="},
}


def cog_yaml_schema() -> Json:
    """The document (JSON Schema, draft 7: what editors understand of YAML)."""
    given = Config.model_json_schema()
    schema: Json = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "cog.yaml",
        "description": "A model, and what its container image is made of.",
        **_section(given, (), given["$defs"]),
    }
    build, image = (schema["properties"][name] for name in ("build", "image"))
    build["properties"]["python_version"] |= {"type": ["string", "number", "null"], "anyOf": _versions()}
    build["not"] = _both("python_packages", {"type": "array", "minItems": 1}, "python_requirements")
    schema["not"] = _both("predict", {"type": "string", "minLength": 1}, "run")
    packages = build["properties"]["system_packages"]
    text = {"type": "string", "pattern": f"^({PACKAGE})$"}
    packages["items"] = {"anyOf": [text, packages["items"]]}
    for commands in (build["properties"]["run"], build["properties"]["pre_install"]):
        commands["items"] = {"anyOf": [{"type": "string"}, commands["items"]]}
    # Cog's form is the name alone.
    schema["properties"]["image"] = {
        "description": image.pop("description"),
        "anyOf": [{"type": "string"}, image],
    }
    cache = schema["properties"]["cache"]
    schema["properties"]["cache"] = {
        "description": cache.pop("description"),
        "anyOf": [{"type": "string"}, cache],
    }
    return schema


def _section(given: Json, path: tuple[str, ...], definitions: Json) -> Json:
    properties = {key: _property(each, (*path, key), definitions) for key, each in given["properties"].items()}
    section: Json = {"type": "object", "additionalProperties": False, "properties": properties}
    if "required" in given:
        section["required"] = given["required"]
    return section


def _property(given: Json, path: tuple[str, ...], definitions: Json) -> Json:
    description, more = _SAID[path]
    default = given.get("default")
    [given] = [each for each in given.get("anyOf", [given]) if each.get("type") != "null"]
    if "$ref" in given:
        made = _section(definitions[given["$ref"].rpartition("/")[2]], path, definitions)
    else:
        made = {name: each for name, each in given.items() if name not in {"title", "default"}}
        if default:
            made["default"] = default
    if "$ref" in made.get("items", {}):
        made["items"] = _section(definitions[made["items"]["$ref"].rpartition("/")[2]], path, definitions)
    if path in _ITEMS:
        made["items"] = {**made["items"], **_ITEMS[path]}
    # A key without a value is as good as absent.
    made["type"] = [made["type"], "null"]
    if "enum" in made:
        made["enum"] = [*made["enum"], None]
    if "const" in more:
        more = {"enum": [more["const"], None]}
    return {"description": description, **made, **more}


def _versions() -> list[Json]:
    """As text, as the numbers that YAML makes of it (3.13, but never 3.1 for 3.10), and with a release: 3.13.5."""
    numbers = [float(version) for version in PYTHON_VERSIONS if str(float(version)) == version]
    either = "|".join(version.replace(".", r"\.") for version in PYTHON_VERSIONS)
    return [{"enum": [*PYTHON_VERSIONS, *numbers, None]}, {"type": "string", "pattern": rf"^({either})\.\d+$"}]


def _both(one: str, kind: Json, other: str) -> Json:
    text = {"type": "string", "minLength": 1}
    return {"type": "object", "required": [one, other], "properties": {one: kind, other: text}}
