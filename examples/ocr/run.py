"""The text in a picture: RapidOCR, whose wheel carries its ONNX models."""

from cog import BaseRunner, Input, Path
from rapidocr_onnxruntime import RapidOCR


class Runner(BaseRunner):
    def setup(self) -> None:
        self.engine = RapidOCR()

    def run(
        self,
        image: Path = Input(description="A picture with text in it"),
        confidence: float = Input(description="Leave out lines below this", default=0.5, ge=0, le=1),
    ) -> str:
        lines, _ = self.engine(str(image))
        return "\n".join(text for _, text, score in lines or [] if float(score) >= confidence)
