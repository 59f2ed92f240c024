"""What every web server here shares: requests that have fully arrived, run by threads.

A connection costs no thread until its whole request has arrived. `server` listens, `connection`
parses requests in the event loop, `request_queue` holds the threads, `wsgi` runs the Flask
application in them, `checks` refuses repeated headers and paths that are not written literally.
"""
