"""Says what came with the request."""

import threading

from cog import BaseRunner, current_scope

OUTSIDE = dict(current_scope().context)


class Runner(BaseRunner):
    def setup(self) -> None:
        current_scope().record_metric("setup", 1)
        self.during = dict(current_scope().context)

    def run(self, key: str = "k") -> list[str]:
        seen = []
        thread = threading.Thread(target=lambda: seen.append(repr(dict(sorted(current_scope().context.items())))))
        thread.start()
        thread.join()
        context = self.scope.context
        return [repr(dict(sorted(context.items()))), repr(context.get(key)), *seen, repr(OUTSIDE), repr(self.during)]
