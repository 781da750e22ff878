/*
 * match_parts.h: what the files of a match tell each other: match.c makes endpoints and polls them,
 * match_play.c is their applications, match_watch.c reads along. Nobody else includes it.
 */
#ifndef FN_SIM_MATCH_PARTS_H
#define FN_SIM_MATCH_PARTS_H

#include "match.h"

/* --- match.c --- */

void *fn_match_calloc(size_t bytes);

/* The endpoint of that side's node is called between these two. */
void fn_match_enter(fn_match *match, const fn_net_node *node);
void fn_match_leave(fn_match *match);

/* When its endpoint wants to be polled. */
void fn_match_schedule(fn_match *match, fn_net_node *node);

/* --- match_play.c --- */

/* The application of a node's endpoint gets an event. */
void fn_match_on_event(fn_match *match, fn_net_node *node, const FastNetEvent *event);
void fn_match_load_start(fn_match *match, fn_side *side);

/* --- match_watch.c --- */

/* From here on what that match's sessions seal and open is read along; NULL ends it. */
void fn_match_watch(fn_match *match);
void fn_match_on_wire(void *user, fn_net_node *node, const fn_net_datagram *seen, uint64_t at_ns);
void fn_match_on_taken(void *user, fn_net_node *node, const fn_net_datagram *taken);
void fn_match_forget(fn_side *side);

#endif
