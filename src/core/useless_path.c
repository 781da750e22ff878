#include "core/conn_parts.h"

void fn_useless_path_found(fn_conn *conn, uint8_t path_id)
{
    fn_path *path = &conn->paths[path_id];
    if (path->stream || path->state == FN_PATH_UNUSED || path->useless)
        return;
    path->useless = true;
    fn_useless_path_say(conn, path_id);
}

void fn_useless_path_say(fn_conn *conn, uint8_t path_id)
{
    fn_path *path = &conn->paths[path_id];
    path->says_small = path->useless && path_id == conn->active && !conn->config.is_client;
}

/* A server has no way but to tell, and a client that is told may leave any path that it uses. */
void fn_useless_path_told(fn_conn *conn, uint8_t path_id)
{
    if (conn->config.is_client && path_id == conn->active)
        fn_useless_path_found(conn, path_id);
}

void fn_conn_path_unsendable(fn_conn *conn, uint8_t path)
{
    if (path < FN_CONN_PATHS_MAX && conn->config.is_client)
        fn_useless_path_found(conn, path);
}

bool fn_conn_leaves_alone(const fn_conn *conn)
{
    return conn->alone;
}

bool fn_conn_path_is_plain(const fn_conn *conn, uint8_t path)
{
    return path < FN_CONN_PATHS_MAX && conn->paths[path].hole.plain;
}
