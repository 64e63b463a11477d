"""Pages for people: the candidate's, at the registration link, and the admin's, under ``/admin``.

The markup is in ``templates/``, on one layout with one stylesheet. ``candidate`` and ``admin`` gather
what a page shows and do what its buttons say. ``app`` finds the page of an address and has what every
page has of HTTP; ``guard`` says who may ask, and ``figures`` writes numbers for people.
"""
