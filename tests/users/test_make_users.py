"""Users by name, by import string and as objects."""

import numpy as np
import pytest

from recsim.catalog import Catalog
from recsim.users import BUILT_IN, make_users
from recsim.users.interest import InterestUsers


class OwnUsers:
    """A user model of somebody's own, as far as `make_users` looks."""

    def __init__(self, catalog: Catalog, mood: str = "good") -> None:
        self.catalog, self.mood = catalog, mood

    def sample(self, users: object) -> None: ...

    def respond(self, state: object, slate: object, users: object) -> None: ...


class NoUsers:
    def __init__(self, catalog: Catalog) -> None: ...

    def sample(self, users: object) -> None: ...


@pytest.fixture
def own_package(monkeypatch: pytest.MonkeyPatch) -> str:
    import sys
    import types

    module = types.ModuleType("their_package")
    module.OwnUsers, module.NoUsers, module.a_number = OwnUsers, NoUsers, 3  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "their_package", module)
    return "their_package"


def test_built_in_users_take_options_and_the_worlds_seed(catalog: Catalog) -> None:
    users = make_users("marketplace", catalog, {"boredom": 0.25}, seed=8)
    assert isinstance(users, InterestUsers)
    assert users.config.boredom == 0.25
    assert np.array_equal(users.quality, InterestUsers(catalog, seed=8).quality)
    assert list(BUILT_IN) == ["marketplace", "news", "feed", "stationary", "choc"]


def test_own_users_by_import_string(catalog: Catalog, own_package: str) -> None:
    users = make_users(f"{own_package}:OwnUsers", catalog, {"mood": "bad"})
    assert isinstance(users, OwnUsers)
    assert users.catalog is catalog
    assert users.mood == "bad"


def test_a_user_model_is_taken_as_it_is(catalog: Catalog) -> None:
    model = OwnUsers(catalog)
    assert make_users(model, catalog) is model


def test_unknown_names(catalog: Catalog, own_package: str) -> None:
    with pytest.raises(
        ValueError,
        match=r"users 'intrest' are unknown; built in: marketplace, news, feed, stationary, choc\. Name your own as",
    ):
        make_users("intrest", catalog)
    with pytest.raises(ValueError, match=r"users 'no_such_pkg:Users' cannot be imported: .*no_such_pkg"):
        make_users("no_such_pkg:Users", catalog)
    with pytest.raises(ValueError, match=r"users 'their_package:Nobody' cannot be imported: .*Nobody"):
        make_users(f"{own_package}:Nobody", catalog)
    with pytest.raises(ValueError, match=r"users 'their_package:a_number' name int, not a class or function"):
        make_users(f"{own_package}:a_number", catalog)


def test_wrong_options(catalog: Catalog) -> None:
    with pytest.raises(ValueError, match=r"interest users have no option 'bordom'; the options are anchors, "):
        make_users("marketplace", catalog, {"bordom": 1.0})
    with pytest.raises(
        ValueError, match=r"options \['mood'\] given with a ready user model; set them where it is made"
    ):
        make_users(OwnUsers(catalog), catalog, {"mood": "bad"})


def test_what_is_no_user_model(catalog: Catalog, own_package: str) -> None:
    with pytest.raises(TypeError, match="NoUsers is not a user model: it has no method 'respond'"):
        make_users(f"{own_package}:NoUsers", catalog)
    with pytest.raises(TypeError, match="int is not a user model: it has no method 'sample'"):
        make_users(3, catalog)  # type: ignore[arg-type]
