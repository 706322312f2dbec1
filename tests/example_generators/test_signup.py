"""signup, against cases worked out by hand."""

from example_generators.catalogue import load_generator


def test_up_to_the_first_sign_up_or_the_end_without_members(sessions_of, tuples):
    rows = [
        *(("new", 0, "Page Viewed"), ("new", 1, "Signed Up"), ("new", 2, "Signed In"), ("new", 3, "Signed Up")),
        *(("no", 0, "Page Viewed"), ("no", 1, "Page Viewed")),
        *(("old", 0, "Page Viewed"), ("old", 1, "Signed In"), ("old", 2, "Page Viewed")),
        *(("straight", 0, "Signed Up"), ("straight", 1, "Page Viewed")),
    ]
    generator = load_generator("signup")
    assert generator.hides == ("Signed Up",)
    assert tuples(generator.slices_of(sessions_of(rows))) == [(0, 0, 1, 1), (1, 0, 2, 0)]
