"""``augury generators``."""

import dataclasses

from augury.commands import screen
from example_generators.catalogue import generator_names, load_generator
from example_generators.errors import GeneratorError


def generators() -> None:
    """List the example generators and their parameters.

    An example generator says where to predict and what the answer was. Those of other installed packages are listed
    too. docs/example-generators.md shows how to write one in under ten lines.

    **Examples**

    - `augury generators`
    - `augury check-generator return_visit -p days=14` : try one
    - `augury examples events/ --output examples --generator return_visit -p days=14` : use one
    """
    rows = []
    for name in generator_names():
        try:
            generator = load_generator(name)
        except GeneratorError as e:  # one package that does not load hides no other
            rows.append((name, str(e), ""))
            continue
        question = (type(generator).__doc__ or "").strip().splitlines()[0]
        params = [f"{field.name}={getattr(generator, field.name)!r}" for field in dataclasses.fields(generator)]  # type: ignore[arg-type]
        rows.append((name, question, "\n".join(params)))
    screen.table("Example generators", ("name", "what it does", "parameters and their defaults"), rows)
