"""The rules of a user model by name."""

from __future__ import annotations

from recsim.testing import form_rules as form
from recsim.testing import luck_rules as luck
from recsim.testing import probability_rules as probability
from recsim.testing import update_rules as update
from recsim.testing.trying import Rule

FORM = ("state is rows", "answers have their form")
REPEATABLE = (*FORM, "same seed, same session", "draws come only from the streams")
KEYED = (*REPEATABLE, "respond is pure", "rows are independent")

RULES = (
    Rule("state is rows", form.state_is_rows),
    Rule("answers have their form", form.answers_have_their_form),
    Rule("same seed, same session", luck.same_seed_same_session, FORM),
    Rule("draws come only from the streams", luck.draws_come_only_from_the_streams, FORM),
    Rule("respond is pure", luck.respond_is_pure, REPEATABLE),
    Rule("rows are independent", luck.rows_are_independent, REPEATABLE),
    Rule("batch equals single", luck.batch_equals_single, REPEATABLE),
    Rule("users differ in luck", luck.users_differ_in_luck, REPEATABLE),
    Rule("luck does not depend on clicks", probability.luck_does_not_depend_on_clicks, KEYED),
    Rule("an empty position is not clicked", form.an_empty_position_is_not_clicked, FORM),
    Rule("conversion implies click", form.conversion_implies_click, FORM),
    Rule("a click is examined", form.a_click_is_examined, FORM),
    Rule("a probability is a probability", probability.a_probability_is_a_probability, FORM),
    Rule(
        "declared probabilities are real",
        probability.declared_probabilities_are_real,
        (*KEYED, "a probability is a probability"),
    ),
    Rule("no hidden state reaches the observation", form.no_hidden_state_reaches_the_observation, FORM),
    Rule("a deep copy answers alike", luck.a_deep_copy_answers_alike, REPEATABLE),
    Rule("a pickle answers alike", luck.a_pickle_answers_alike, REPEATABLE),
    Rule("coming back is pure", luck.coming_back_is_pure, REPEATABLE),
    Rule("a calendar is days", form.a_calendar_is_days, FORM),
    Rule(
        "update equals respond",
        update.update_equals_respond,
        (*REPEATABLE, "respond is pure", "no hidden state reaches the observation"),
    ),
)
