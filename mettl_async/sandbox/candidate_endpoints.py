"""The endpoint of registrations: API 15."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mettl_async.sandbox import life, rules
from mettl_async.sandbox.candidates import candidate_link
from mettl_async.sandbox.envelope import RefusalError
from mettl_async.sandbox.state import Schedule, same_person

if TYPE_CHECKING:
    from mettl_async.sandbox.asked import Asked, Payload


def register_candidates(asked: Asked) -> Payload:
    """API 15: register up to 20 candidates; answers a link for each, or why there is none."""
    schedule = asked.schedule()
    options = rules.read_options(asked.parameters)
    document = rules.read_registration(asked.parameters)
    asked.stats.saw_batch(len(document["registrationDetails"]))
    newcomers = rules.check_candidates(
        document,
        schedule.assessment.registration_fields,
        skip_mandatory=options.skip_mandatory,
    )
    _check_quota(schedule, newcomers)
    items = []
    for newcomer in newcomers:
        asked.stats.registrations[schedule.access_key, same_person(newcomer.email)] += 1
        items.append(_register(asked, schedule, newcomer, options))
    return {"status": "SUCCESS", "registrationStatus": items}


def _check_quota(schedule: Schedule, newcomers: list[rules.Newcomer]) -> None:
    account = schedule.assessment.account
    if account.registration_limit is None:
        return
    fresh = {same_person(n.email) for n in newcomers if schedule.admits(n.email)}
    fresh -= schedule.candidates.keys()
    # [assumed]: a call that would pass the limit registers nobody; those known already are free
    if fresh and account.registrations + len(fresh) > account.registration_limit:
        raise RefusalError("E607")


def _register(
    asked: Asked, schedule: Schedule, newcomer: rules.Newcomer, options: rules.RegistrationOptions
) -> Payload:
    known = schedule.candidates.get(same_person(newcomer.email))
    if known is not None and known.status == "Completed":  # [seen]
        return _item(newcomer.email, "Completed", "has completed the test", None)
    if not schedule.admits(newcomer.email):  # [seen], the words are [assumed]
        return _item(newcomer.email, "InValid", "is not allowed to take the test", None)
    candidate = asked.state.candidate(schedule, newcomer.email)
    # Registering again gives the same usable link [seen]; that the new values win is [assumed].
    # A test that runs goes on; the word that the item has then is [assumed].
    life.admit(candidate, asked.now)
    candidate.fields = newcomer.fields
    candidate.base_url = asked.base_url
    if newcomer.context_data is not None:
        candidate.context_data = newcomer.context_data
    if newcomer.compensatory_time is not None:
        candidate.compensatory_time = newcomer.compensatory_time
    candidate.expires_at = None if options.time_limit is None else asked.now + options.time_limit
    candidate.show_custom_instructions = options.show_custom_instructions
    return _item(
        newcomer.email,
        candidate.status,
        "successfully registered for the test",
        candidate_link(asked.base_url, candidate.ecc),
    )


def _item(email: str, status: str, what: str, url: str | None) -> Payload:
    return {
        "email": email,
        "status": status,
        "message": f"Candidate ('{email}') {what}",
        "url": url,
    }
