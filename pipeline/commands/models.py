"""The `models` commands: what can be run, and where its weights are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipeline.commands.engines import ReadPicture, Sample, bench, quantise_command


def models_app(
    make_sampler: Callable[[], Sample], make_reader: Callable[[], ReadPicture]
) -> typer.Typer:
    """Make the commands.

    Args:
        make_sampler: makes what reads frames of a source.
        make_reader: makes what reads a picture as `watch` does.
    """
    app = typer.Typer(help="What can be run, how fast, and its weights.", no_args_is_help=True)
    app.command("list")(list_models)
    app.command()(pull)
    app.command("import")(import_model)
    app.command()(bench)
    app.command()(quantise_command(make_sampler, make_reader))
    return app


def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the models and whether their weights are here."""
    from pipeline.console import models_table
    from pipeline.models import describe_models

    described = describe_models()
    if as_json:
        typer.echo(json.dumps(described))
    else:
        Console().print(models_table(described))


def pull(name: Annotated[str, typer.Argument(help="A name with weights, such as person.")]) -> None:
    """Fetch a model's weights into the cache."""
    from pipeline.console import download_bar
    from pipeline.models import pull_weights

    with download_bar(Console(stderr=True), f"model {name}") as progress:
        path = pull_weights(name, progress)
    typer.echo(path)


def import_model(
    graph: Annotated[Path, typer.Argument(help="TensorFlow frozen graph, a .pb file.")],
    output: Annotated[Path, typer.Option(help="Safetensors file to write.")],
    class_name: Annotated[
        list[str] | None, typer.Option(help="Name of a class; repeat it, in label order.")
    ] = None,
) -> None:
    """Convert a TensorFlow frozen graph to weights for --weights."""
    from pipeline.models import import_graph

    import_graph(graph, output, class_name)
    typer.echo(output)
