"""`@cog.batch`: clients see one prediction, though the function gets lists of them."""

from __future__ import annotations

import pytest

from cog_oci.errors import SourceError

BEFORE = "import cog\nclass Out(BaseModel):\n    x: int\nTexts = list[str]\n"


def plain(annotation: str) -> str:
    """The annotation of a list's elements."""
    return annotation.removeprefix("list[")[:-1]


def document(read, marks, parameters, returns, asynchronous=False):
    prefix = "async " if asynchronous else ""
    return read(f"{BEFORE}{marks}\n{prefix}def run({parameters}) -> {returns}: ...\n").to_bytes()


@pytest.mark.parametrize("mark", ["@cog.batch", "@cog.batch()", "@cog.batch(max_size=4, max_wait=0.5)"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_document_is_that_of_one_prediction(read, mark, asynchronous):
    many = document(read, mark, "a: list[str], b: list[int] = Input(default=3, ge=1)", "list[float]", asynchronous)
    one = document(read, "", "a: str, b: int = Input(default=3, ge=1)", "float", asynchronous)
    assert many == one


@pytest.mark.parametrize(
    "annotation",
    [
        "list[str]",
        "List[Path]",
        "list[list[int]]",
        "list[int | None]",
        "list[Optional[list[str]]]",
        "list[int | str]",
        "list[Literal['x', 'y']]",
        "list[Annotated[Unknown, Opaque]]",
        "list[dict[str, Any]]",
        "list[Secret]",
    ],
)
def test_an_element_may_be_whatever_an_input_may_be(read, annotation):
    one = plain(annotation.replace("List[", "list["))
    assert document(read, "@cog.batch", f"a: {annotation}", "list[str]") == document(read, "", f"a: {one}", "str")


@pytest.mark.parametrize("annotation", ["Texts", "'list[str]'", "Annotated[list[str], 'texts']", "'Texts'"])
def test_a_list_is_one_by_whatever_name(read, annotation):
    assert document(read, "@cog.batch", f"a: {annotation}", annotation) == document(read, "", "a: str", "str")


@pytest.mark.parametrize("annotation", ["list[Out]", "list[list[Path]]", "list[dict[str, int]]", "list[Any]"])
def test_an_element_may_be_whatever_an_output_may_be(read, annotation):
    many = document(read, "@cog.batch", "a: list[str]", annotation)
    assert many == document(read, "", "a: str", plain(annotation))


def test_a_list_that_does_not_say_of_what_is_of_anything(read):
    many = document(read, "@cog.batch", "a: list", "list")
    assert many == document(read, "", "a: Any", "Any")


@pytest.mark.parametrize("default", ["None", "Input(default=None)"])
def test_a_default_is_that_of_one_prediction(read, default):
    many = document(read, "@cog.batch", f"a: list[str] = {default}, b: list[str] = 'x'", "list[str]")
    assert many == document(read, "", f"a: str = {default}, b: str = 'x'", "str")


def test_choices_are_those_of_one_prediction(read):
    many = document(read, "@cog.batch", "a: list[str] = Input(choices=['x', 'y'], default='x')", "list[str]")
    assert many == document(read, "", "a: str = Input(choices=['x', 'y'], default='x')", "str")


@pytest.mark.parametrize(
    ("mark", "parameters", "returns", "problems"),
    [
        ("", "a: str", "list[str]", ["9:12: parameter 'a': @batch gives a list, one for each prediction: `list[str]`"]),
        ("", "a: 'str | None'", "list[str]", ["9:12: parameter 'a': @batch gives a list, one for each prediction: `list[str | None]`"]),
        ("", "a: list[str] | None", "list[str]", ["9:12: parameter 'a': @batch gives a list, one for each"]),
        ("", "a: dict[str, int]", "list[str]", ["9:12: parameter 'a': @batch gives a list, one for each"]),
        ("", "a: list[str]", "str", ["9:26: @batch needs a list as return type, with one output for each prediction"]),
        ("", "a: list[str]", "Iterator[str]", ["9:26: @batch needs a list as return type"]),
        ("", "a: list[str]", "list[Iterator[str]]", ["9:31: return type: an iterator can't be inside of another type"]),
        ("", "a: list[str]", "list[str | None]", ["9:31: return type: Optional is not supported for an output"]),
        ("", "a: list[str]", "list[Tensor]", ["9:31: return type: 'Tensor' is not defined"]),
        ("", "a: list[str] = ['x']", "list[str]", ["9:24: parameter 'a': default ['x'] is not of type str"]),
        ("", "a: list[str] = Input(choices=[1])", "list[str]", ["9:38: parameter 'a': choice 1 is not of type str"]),
        ("", "a", "list[str]", ["9:9: parameter 'a': has no type, annotate it"]),
        ("", "", "list[str]", ["8:2: @batch needs an input, whose list says how many predictions there are"]),
        ("(max_size=0)", "a: list[str]", "list[str]", ["8:21: @batch max_size must be a whole number of at least 1, not 0"]),
        ("(max_size=2.5)", "a: list[str]", "list[str]", ["8:21: @batch max_size must be a whole number of at least 1, not 2.5"]),
        ("(max_size=True)", "a: list[str]", "list[str]", ["8:21: @batch max_size must be a whole number"]),
        ("(max_wait=-1)", "a: list[str]", "list[str]", ["8:21: @batch max_wait must be a number of seconds from 0 up, not -1"]),
        ("(max_wait='1')", "a: list[str]", "list[str]", ["8:21: @batch max_wait must be a number of seconds from 0 up, not '1'"]),
        ("(max_wait=float('inf'))", "a: list[str]", "list[str]", ["8:21: @batch max_wait must be a number of seconds"]),
        ("(max_size=size)", "a: list[str]", "list[str]", ["8:21: @batch: 'size' is not defined"]),
        ("(size=3)", "a: list[str]", "list[str]", ["8:12: @batch has no argument 'size', it has max_size and max_wait"]),
        ("(3)", "a: list[str]", "list[str]", ["8:12: @batch takes no argument without a name, it has max_size and"]),
        ("(**{})", "a: list[str]", "list[str]", ["8:12: @batch has no argument '**'"]),
        ("\n@cog.streaming", "a: list[str]", "list[str]", ["9:2: @streaming and @batch exclude each other"]),
        ("\n@cog.concurrent(max=2)", "a: list[str]", "list[str]", ["9:2: @batch takes several predictions at a time already, remove @concurrent", "9:21: @concurrent max greater than 1 needs an async function"]),
        ("(max_size=0, max_wait=-1)", "a: str, b: list[int] = 'x'", "str", ["8:21: @batch max_size", "8:33: @batch max_wait", "9:12: parameter 'a'", "9:32: parameter 'b': default 'x'", "9:40: @batch needs a list"]),
    ],
)  # fmt: skip
def test_what_is_no_batch_is_told_with_its_place(read, mark, parameters, returns, problems):
    with pytest.raises(SourceError) as caught:
        read(f"{BEFORE}@cog.batch{mark}\ndef run({parameters}) -> {returns}: ...\n")
    found = [str(problem) for problem in caught.value.problems]
    assert len(found) == len(problems), found
    for text, beginning in zip(found, problems, strict=True):
        assert text.startswith(f"run.py:{beginning}")


@pytest.mark.parametrize(
    ("mark", "problem"),
    [
        ("@cog.streaming(1)", "run.py:5:16: @streaming takes no argument without a name, it has none"),
        ("@cog.streaming(max=1)", "run.py:5:16: @streaming has no argument 'max', it has none"),
        ("@cog.concurrent(4)", "run.py:5:17: @concurrent takes no argument without a name, it has max"),
        ("@cog.concurrent(n=4)", "run.py:5:17: @concurrent has no argument 'n', it has max"),
    ],
)
def test_other_marks_take_no_other_arguments(read, mark, problem):
    with pytest.raises(SourceError) as caught:
        read(f"import cog\n{mark}\nasync def run(a: str) -> AsyncIterator[str]: ...\n")
    assert [str(each) for each in caught.value.problems] == [problem]
