"""What every web server here shares: requests that have fully arrived, run by threads.

A connection costs no thread until its whole request has arrived. `server` listens and holds the
threads, `connection` parses requests in the event loop, `wsgi` runs the Flask application in them.
`request_parsing` is what every application reads of a request, `openapi` how it describes its
calls.
"""
