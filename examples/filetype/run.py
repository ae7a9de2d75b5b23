"""What kind of file is this? Google's magika, whose wheel carries its ONNX model."""

from cog import BaseModel, BaseRunner, Input, Path
from magika import Magika


class Output(BaseModel):
    label: str
    mime_type: str
    description: str
    score: float


class Runner(BaseRunner):
    def setup(self) -> None:
        self.magika = Magika()

    def run(self, file: Path = Input(description="Any file")) -> Output:
        result = self.magika.identify_path(file)
        return Output(
            label=result.output.label,
            mime_type=result.output.mime_type,
            description=result.output.description,
            score=round(result.score, 4),
        )
