"""Pages for people: the candidate's, at the registration link, and the admin's, under ``/admin``.

Server-rendered, without scripts or anything from elsewhere. ``html`` makes markup, ``layout`` has the
one stylesheet, ``candidate`` and the ``admin_...`` modules turn what they are told into pages, and
``taking`` and ``admin`` answer requests. ``web`` is what every page has of HTTP, and ``guard`` who may ask.
"""
