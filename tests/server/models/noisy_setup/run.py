"""A model that says a lot while it sets itself up."""

import logging
import sys
import threading

from cog import BaseRunner

print("while imported")


class Runner(BaseRunner):
    def setup(self) -> None:
        print("one")
        print("two", file=sys.stderr)
        logging.getLogger("model").warning("three")
        thread = threading.Thread(target=print, args=("four",))
        thread.start()
        thread.join()
        print("ünï 🎈")
        print("no end", end="")

    def run(self) -> str:
        print("during")
        logging.getLogger("model").warning("logged")
        sys.stderr.write("written\n")
        return "ok"
