"""Records the metrics that it is told to."""

from typing import Any

from cog import BaseRunner, current_scope


class Runner(BaseRunner):
    def run(self, calls: list[Any] = [], item: bool = False) -> str:
        for call in calls:
            if item:
                current_scope().metrics[call[0]] = call[1]
            elif call[1:] == ["delete"]:
                del self.scope.metrics[call[0]]
            elif call[1:] == ["nan"]:
                self.record_metric(call[0], float("nan"))
            elif call[1:] == ["object"]:
                self.record_metric(call[0], object())
            else:
                self.record_metric(*call)
        return "recorded"
