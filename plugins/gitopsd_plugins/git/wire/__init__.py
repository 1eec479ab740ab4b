"""Git's protocol over HTTP and SSH."""
