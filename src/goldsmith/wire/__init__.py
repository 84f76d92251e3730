"""What goes over the wire in every HTTP dialect: request and reply types, used by clients and servers alike. No torch, no server."""
