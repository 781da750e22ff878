/*
 * path_scenarios.h: scenarios in which sessions change from UDP to TCP and back, and what may go
 * wrong with TCP meanwhile.
 */
#ifndef FN_SIM_PATH_SCENARIOS_H
#define FN_SIM_PATH_SCENARIOS_H

#include "match_run.h"

/* name, setup, judge, seconds, sentence */
#define PATH_SCENARIO_MAP(X)                                                                       \
    X(t1_udp_blocked_from_the_start, fn_path_blocked_setup, fn_path_blocked_judge, 5,              \
      "connected over TCP in 2.5 s, all channels work")                                            \
    X(t1_udp_blocked_one_way_from_the_start, fn_path_half_blocked_setup, fn_path_blocked_judge, 8, \
      "likewise when only one direction is blocked")                                               \
    X(t1_udp_blocked_in_the_middle, fn_path_middle_setup, fn_path_middle_judge, 3,                 \
      "on TCP in 3 s, back on UDP in 10 s")                                                        \
    X(t1_udp_blocked_one_way, fn_path_middle_setup, fn_path_one_way_judge, 3,                      \
      "likewise when only one direction is blocked")                                               \
    X(t1_tcp_refused_at_first, fn_path_middle_setup, fn_path_refused_judge, 3,                     \
      "neither UDP nor TCP for some seconds, then TCP")                                            \
    X(t1_udp_and_tcp_flap, fn_path_flap_setup, NULL, 60,                                           \
      "either is blocked and free again at random, for a minute")                                  \
    X(s9_keys_and_numbers_go_on, fn_path_keys_setup, fn_path_keys_judge, 20,                       \
      "a key update every 64 packets, whatever carries them")                                      \
    X(kept_stream_holds_nothing_back, fn_path_kept_setup, fn_path_kept_judge, 3,                   \
      "a stream that is kept stalls when the session has left it")                                 \
    X(small_memory_over_tcp, fn_path_small_setup, NULL, 10,                                        \
      "384 KiB each, and a narrow link below TCP")                                                 \
    X(idle_over_tcp, fn_path_idle_setup, fn_path_idle_judge, 60,                                   \
      "nobody sends anything over TCP; its resets are noticed")                                    \
    X(close_over_tcp, fn_path_close_setup, NULL, 3, "an orderly end while UDP is blocked")         \
    X(ten_seconds_dark, fn_path_middle_setup, fn_path_dark_judge, 3,                               \
      "neither UDP nor TCP for ten seconds; TCP is back first, or both")                           \
    X(server_restart_is_gone, fn_path_restart_setup, fn_path_restart_judge, 3,                     \
      "a server that lost its state says so, and takes the clients anew")                          \
    X(p5_tcp_stall_harms_nobody_else, fn_path_bystander_setup, fn_path_stall_judge, 2,             \
      "a zero window, each way and both")                                                          \
    X(p5_tcp_reset_harms_nobody_else, fn_path_bystander_setup, fn_path_reset_judge, 2,             \
      "reset in the middle of a record, again and again")                                          \
    X(sixty_hz_over_lossy_tcp, fn_path_sixty_setup, fn_path_sixty_judge, 20,                       \
      "2 % loss below TCP: what is too old is dropped, not queued")                                \
    X(s5_attacker_beside_tcp, fn_path_attacked_setup, fn_path_attacked_judge, 15,                  \
      "the client's UDP does not get through, copies and forgeries do")                            \
    X(roam_while_on_tcp, fn_path_middle_setup, fn_path_away_judge, 2,                              \
      "to a network with UDP, or without")                                                         \
    X(s5_racer_while_connecting, fn_path_racer_setup, fn_path_racer_judge, 6,                      \
      "copies come first from the very first datagram on: TCP carries the session")                \
    X(too_small_from_the_start, fn_path_tunnel_setup, fn_path_tunnel_judge, 5,                     \
      "a path that does not carry 1200 bytes, either way, is no UDP path")                         \
    X(too_small_in_the_middle, fn_path_shrinks_setup, fn_path_shrinks_judge, 3,                    \
      "small ones pass, large ones vanish: on TCP in 6 s, and back when 1200 bytes pass")          \
    X(chance_is_no_black_hole, fn_path_shrinks_setup, fn_path_chance_judge, 3,                     \
      "20 s of 30 % loss: no size is blamed, the session stays on UDP")                            \
    X(s5_new_port_every_second, fn_path_ports_setup, fn_path_ports_judge, 60,                      \
      "a minute of new source ports costs nothing and no memory")                                  \
    X(blackout_with_tcp, fn_path_blackout_setup, NULL, 8, "partitions of UDP, one way and both")   \
    X(long_dark_with_tcp, fn_path_long_dark_setup, NULL, 15, "UDP is gone under small messages")   \
    X(new_addresses_with_tcp, fn_path_address_setup, NULL, 15, "other NAT addresses and networks") \
    X(silence_with_tcp, fn_path_silence_setup, fn_path_silence_judge, 3, "all dies, and is back")  \
    X(everything_with_tcp, fn_path_everything_setup, NULL, 8, "all of it together")                \
    X(reliable_beside_a_full_stream_on_tcp, fn_path_share_setup, fn_path_share_judge, 10,          \
      "an eighth is for what is reliable, over TCP too")

#define X(name, setup, judge, seconds, sentence) void setup(fn_match_config *config, fn_rng *rng);
PATH_SCENARIO_MAP(X)
#undef X

const char *fn_path_attacked_judge(fn_match *match);
const char *fn_path_away_judge(fn_match *match);
const char *fn_path_keys_judge(fn_match *match);
const char *fn_path_kept_judge(fn_match *match);
const char *fn_path_idle_judge(fn_match *match);
const char *fn_path_blocked_judge(fn_match *match);
const char *fn_path_middle_judge(fn_match *match);
const char *fn_path_one_way_judge(fn_match *match);
const char *fn_path_refused_judge(fn_match *match);
const char *fn_path_dark_judge(fn_match *match);
const char *fn_path_restart_judge(fn_match *match);
const char *fn_path_stall_judge(fn_match *match);
const char *fn_path_reset_judge(fn_match *match);
const char *fn_path_sixty_judge(fn_match *match);
const char *fn_path_racer_judge(fn_match *match);
const char *fn_path_ports_judge(fn_match *match);
const char *fn_path_silence_judge(fn_match *match);
const char *fn_path_tunnel_judge(fn_match *match);
const char *fn_path_shrinks_judge(fn_match *match);
const char *fn_path_chance_judge(fn_match *match);
const char *fn_path_share_judge(fn_match *match);

#endif
