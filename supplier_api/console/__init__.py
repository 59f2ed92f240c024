"""The console: web pages for people who look at the supplier's side and steer it.

Its pages show what the commands show, from the same read models, and do what the commands do, by
the same functions.
"""
