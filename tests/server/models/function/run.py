"""A model that is a function."""

from cog import Input, current_scope


def run(text: str = Input(description="some text", default="x"), times: int = 2) -> str:
    print("called")
    current_scope().record_metric("times", times)
    return text * times
