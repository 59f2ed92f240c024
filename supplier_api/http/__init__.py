"""What every web server here stands on: requests that have fully arrived, run by threads.

A connection costs no thread until its whole request is there. `server` listens, `connection` reads
requests in the event loop, `request_queue` holds the threads, `wsgi` runs the Flask application in
them, `checks` refuses what stands twice or is not written literally.
"""
