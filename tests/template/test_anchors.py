"""Lines that an owner wrote right below an anchor survive whatever the template does beside them."""

from merging import engine

BASE = b"""def create_app():
    api = FastAPI()
    # New features go here.
    if settings.docs:
        api.include_router(docs)
    return api
"""
OURS = BASE.replace(b"go here.\n", b"go here.\n    api.include_router(invoices)\n    api.include_router(offers)\n")
THEIRS = b"""def create_app():
    api = new_api()
    # New features go here.
    return api
"""


def test_they_are_taken_out_and_put_back_below_the_anchor() -> None:
    rest, added = engine("anchors").taken_out(BASE, OURS)

    assert rest == BASE
    assert engine("anchors").put_back(THEIRS, added) == THEIRS.replace(
        b"go here.\n", b"go here.\n    api.include_router(invoices)\n    api.include_router(offers)\n"
    )


def test_so_are_those_at_the_end_of_a_file() -> None:
    base = b'"""Commands."""\n\n# Your own commands go below this line.\n'

    assert engine("anchors").taken_out(base, base + b"\n\ndef own(): ...\n") == (
        base,
        {b"# Your own commands go below this line.\n": [b"\n", b"\n", b"def own(): ...\n"]},
    )


def test_lines_that_also_change_what_follows_are_left_to_git() -> None:
    changed = OURS.replace(b"if settings.docs:", b"if settings.api_docs:").replace(b"return api", b"return api  # ours")

    assert engine("anchors").taken_out(BASE, changed) == (changed, {})


def test_an_anchor_that_is_gone_or_in_doubt_takes_nothing_back() -> None:
    _, added = engine("anchors").taken_out(BASE, OURS)
    doubtful = b"<<<<<<< before updating\n" + BASE + b"=======\n>>>>>>> after updating\n"

    assert engine("anchors").put_back(b"api = new_api()\n", added) is None
    assert engine("anchors").put_back(BASE + BASE, added) is None
    assert engine("anchors").put_back(doubtful, added) is None
