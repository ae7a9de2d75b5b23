"""A model in the words of earlier releases."""

from cog import BasePredictor, Input


class Predictor(BasePredictor):
    def setup(self):
        self.prefix = "hello "

    def predict(self, text: str = Input(default="x")) -> str:
        return self.prefix + text
