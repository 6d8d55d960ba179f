//! Routes through a connection, without a socket.
