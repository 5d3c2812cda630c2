/* A detector in a shared object: the C interface (C99), for any language that can speak it.
 *
 * A plugin exports one function, `lapwing_plugin`, which returns a table of functions that lives as
 * long as the process. Lapwing calls it once, then `create` for each [detector.NAME] with
 * `plugin = "FILE.so"`, and then the functions of the table as lapwing/detector.h says for the members
 * of the same name. docs/DETECTORS.md, "A detector of your own in ten minutes", walks through one.
 *
 * [ABI]        Structs and tables only grow at their end, and begin with their `size` as the side that
 *              made them knows it. A member beyond `size` is not there; a function that is NULL is not
 *              wanted. `abi` changes only when that is not enough: another number is refused.
 * [Threading]  Every call comes from the engine thread, in order. A plugin starts no thread.
 * [Time]       `now` is the time of the record being handled, microseconds since 1970 UTC. A plugin
 *              reads no clock and no random number: the same records must give the same events.
 * [Lifetimes]  Arguments, and what host functions return, live until the call into the plugin returns.
 *              What a plugin passes to a host function is copied.
 * [Errors]     A call that fails says so with `fail`: the detector is disabled for the rest of the run,
 *              and an event of type `detector-failed` carries the text. A C++ exception that leaves a
 *              call does the same; one that leaves `destroy` is dropped. A slow call delays every neighbour; nothing is lost meanwhile.
 * [Mistakes]   What a plugin hands over is checked. A host function that is given an id that stands for
 *              nothing, NULL with a count or a size, a prefix that is none, or an event that no sink could
 *              write does nothing, answers with zeros (a setting: with the fallback), and the plugin
 *              fails as by `fail`, with the name of the function and what is wrong. LAPWING_NO_PATH is no
 *              mistake where a path is asked for: it has no hops and no attributes. `host` itself, and
 *              pointers to what is not there, cannot be checked.
 * [Create]     Within `create` there are `integer_setting`, `text_setting` and `fail`; within `destroy`
 *              there is nothing. Every other host function fails there, and the settings elsewhere.
 * [Text]       Texts of events and of `fail` are kept up to 4,096 octets; what is no UTF-8 becomes U+FFFD.
 * [Ids]        Peer, prefix and path ids are small dense numbers of this run. They must not reach an
 *              event nor decide an order. A path id is valid until `path_released` returns, a prefix id
 *              until `prefix_released` does, a peer id until LAPWING_PEER_REMOVED was told.
 */
#ifndef LAPWING_PLUGIN_H
#define LAPWING_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LAPWING_PLUGIN_ABI 1u
#define LAPWING_NO_PATH 0xffffffffu
#define LAPWING_NO_TIME INT64_MIN

/* Octets that are not ended by a zero; `data` may be NULL where `size` is 0. */
typedef struct lapwing_text {
  const char* data;
  size_t size;
} lapwing_text;

typedef struct lapwing_prefix {
  uint8_t version; /* 4 or 6 */
  uint8_t length;
  uint8_t address[16]; /* network byte order; the first four octets for IPv4 */
} lapwing_prefix;

typedef struct lapwing_nlri {
  size_t size;
  lapwing_prefix prefix;
  uint16_t afi;
  uint8_t safi;
  uint8_t has_path_id;
  uint32_t path_id; /* RFC 7911 */
  uint64_t rd;      /* 0 outside VPN families */
} lapwing_nlri;

typedef struct lapwing_peer {
  size_t size;
  lapwing_text name;
  uint32_t as;
  uint32_t local_as;
  uint8_t internal; /* 1: iBGP */
} lapwing_peer;

enum { LAPWING_LIVE = 0, LAPWING_RESYNC = 1, LAPWING_REPLAY = 2 };

typedef struct lapwing_route_change {
  size_t size;
  uint32_t peer;
  uint32_t prefix;
  uint32_t before; /* path ids; LAPWING_NO_PATH: no route */
  uint32_t after;
  uint8_t cause;
  uint8_t baseline;   /* 1: a first table; it teaches, it does not alarm */
  int64_t last_known; /* LAPWING_NO_TIME, or the change was found after a gap that began then */
  uint8_t peer_removed; /* 1, with `baseline`: nobody said that it is gone, it is heard no more */
} lapwing_route_change;

enum {
  LAPWING_PEER_UP = 0,
  LAPWING_PEER_DOWN = 1,
  LAPWING_PEER_BASELINE_DONE = 2,
  LAPWING_PEER_SYNCHRONIZED = 3,
  LAPWING_PEER_REMOVED = 4,
  LAPWING_PEER_STANDING = 5 /* told after the detector has started, see detector.h */
};

typedef struct lapwing_peer_change {
  size_t size;
  uint32_t peer;
  uint8_t event;
  uint16_t afi; /* of BASELINE_DONE and SYNCHRONIZED */
  uint8_t safi;
  lapwing_text reason; /* of DOWN */
  int64_t blind_since; /* of UP and STANDING, or LAPWING_NO_TIME */
} lapwing_peer_change;

typedef struct lapwing_route {
  size_t size;
  uint32_t peer;
  uint32_t prefix;
  uint32_t path;
  uint8_t stale; /* kept from a session that was lost: unobserved, not gone */
} lapwing_route;

enum { LAPWING_RAISE = 0, LAPWING_UPDATE = 1, LAPWING_CLEAR = 2 };
enum { LAPWING_INTEGER = 0, LAPWING_BOOLEAN = 1, LAPWING_TEXT = 2, LAPWING_TIME = 3 };

/* A member of an event that only this type has. */
typedef struct lapwing_field {
  /* Lower snake case, at most 64 octets (syslog shows 32); no member or syslog parameter that every event
     has (`prefix`, `peer`, `old_path`, `new_path`, `repeat`), no other field's. */
  const char* name;
  uint8_t kind;
  int64_t number; /* of INTEGER, BOOLEAN and TIME; a TIME is of the years 0 to 9999 */
  lapwing_text text;
} lapwing_field;

/* One sighting. `change` is the one being handled: its neighbour, prefix, paths and time. */
typedef struct lapwing_evidence {
  uint32_t peer;
  uint32_t prefix;
  uint32_t before;
  uint32_t after;
} lapwing_evidence;

typedef struct lapwing_event {
  size_t size;
  /* "bad-prefix": lower-case words joined by hyphens, at most 64 octets; none that Lapwing raises. */
  const char* type;
  uint8_t action;
  uint8_t severity; /* RFC 5424 6.2.1: 0 emergency … 7 debug */
  uint8_t cause;
  uint8_t has_origin;
  uint8_t has_upstream;
  uint32_t origin_as;
  uint32_t upstream_as;
  int64_t last_known; /* LAPWING_NO_TIME or 0, or `changed_between` begins then; not after now */
  /* What makes the event, and its incident, what they are: the same numbers, the same id. */
  const uint64_t* id_parts;
  size_t id_part_count;
  const uint64_t* incident_parts;
  size_t incident_part_count;
  const lapwing_prefix* prefixes; /* octets beyond their length are cleared */
  size_t prefix_count;
  const uint32_t* peers;
  size_t peer_count;
  const lapwing_evidence* evidence;
  size_t evidence_count;
  const lapwing_field* fields;
  size_t field_count; /* at most 64 */
  lapwing_text rule;
  lapwing_text summary;
  /* Of a clear: the types of raise of its incident that it ends, parted by single blanks; "-":
     nothing that was raised; NULL: its own type. Of an update: those of which a part has ended. Of a
     raise: the types that it takes the place of; what of them is held back is not told. [[suppress]]
     goes by it. */
  const char* ends;
} lapwing_event;

/* What a plugin may ask and do. `host` is the first argument of every function. */
typedef struct lapwing_host lapwing_host;
struct lapwing_host {
  size_t size;
  int64_t (*now)(const lapwing_host* host);
  /* The attribute set in the canonical encoding of lapwing/path.h. */
  lapwing_text (*path)(const lapwing_host* host, uint32_t path);
  /* The AS_PATH from the neighbour to the origin, prepending included; confederation segments left out,
     an AS_SET as one 0. Writes at most `room` hops (NULL where it is 0); returns how many there are. */
  size_t (*as_path)(const lapwing_host* host, uint32_t path, uint32_t* hops, size_t room);
  /* Fill in what the caller's `out->size` has room for; the caller sets it. */
  void (*nlri)(const lapwing_host* host, uint32_t prefix, lapwing_nlri* out);
  void (*peer)(const lapwing_host* host, uint32_t peer, lapwing_peer* out);
  /* 1 where [watch] names the prefix or covers it; where it names the AS, as origin or anywhere. */
  int (*watches_prefix)(const lapwing_host* host, const lapwing_prefix* prefix);
  int (*watches_as)(const lapwing_host* host, uint32_t as);
  /* The routes of all neighbours for one prefix id, in ascending order of neighbour. */
  void (*for_each_route)(const lapwing_host* host, uint32_t prefix,
                         void (*fn)(void* context, const lapwing_route* route), void* context);
  /* `on_timer(key)` when event time reaches `due`; a timer of that key is replaced. One that is due
     already fires before the next record. A plugin that sets more than 100,000 of these within
     `on_timer`, while `now` stands, fails: it would never end. */
  void (*set_timer)(const lapwing_host* host, uint64_t key, int64_t due);
  void (*cancel_timer)(const lapwing_host* host, uint64_t key);
  void (*put_state)(const lapwing_host* host, lapwing_text key, lapwing_text value);
  void (*erase_state)(const lapwing_host* host, lapwing_text key);
  void (*emit)(const lapwing_host* host, const lapwing_event* event);
  /* A setting of the plugin's table in the configuration; the fallback, not NULL, where it is not set.
     Only within `create`. A text lives until `create` returns. */
  int64_t (*integer_setting)(const lapwing_host* host, const char* key, int64_t fallback, int64_t min,
                             int64_t max);
  lapwing_text (*text_setting)(const lapwing_host* host, const char* key, const char* fallback);
  /* Says why a call fails; the detector is disabled when the call returns. Within `create`: refuses
     the configuration. */
  void (*fail)(const lapwing_host* host, const char* why);
  /* This neighbour, too, shows what an event of this type with these incident parts raised: [[suppress]] may
     keep a raise back until enough do. Costs little where none is kept back. Of an event without
     incident parts, its id being its incident, there are no witnesses. */
  void (*add_witness)(const lapwing_host* host, const char* type, const uint64_t* incident_parts,
                      size_t incident_part_count, uint32_t peer);
  /* 1: `*prefix` is the id of this NLRI, for which a neighbour has a route, or had one lately. A prefix
     that some neighbours show with path identifiers and others without has an id for each. */
  int (*find_prefix)(const lapwing_host* host, const lapwing_nlri* nlri, uint32_t* prefix);
};

enum { LAPWING_ROUTES_NONE = 0, LAPWING_ROUTES_LIVE = 1, LAPWING_ROUTES_ALL = 2 };

/* What a plugin is. `self` is what `create` returned. All but `create` may be NULL. */
typedef struct lapwing_plugin_table {
  size_t size;
  uint32_t abi;        /* LAPWING_PLUGIN_ABI of the plugin's header */
  uint32_t routes;     /* which route changes it wants */
  const char* version; /* of the plugin, for a person */
  /* `name` is that of its table in the configuration. In a check of the configuration nothing but
     `create` and `destroy` is called. NULL: it cannot run; `fail` has said why. */
  void* (*create)(const lapwing_host* host, const char* name);
  void (*destroy)(void* self);
  void (*restore_state)(void* self, lapwing_text key, lapwing_text value);
  void (*restore_route)(void* self, const lapwing_route* route);
  /* `now` is the time until which the store knows; 0 where it knows none, as in a replay: timers that are
     set then are due at the first record, whose time `now` is by then. */
  void (*start_up)(void* self);
  void (*on_route_change)(void* self, const lapwing_route_change* change);
  void (*on_update_end)(void* self);
  void (*on_peer_change)(void* self, const lapwing_peer_change* change);
  void (*on_timer)(void* self, uint64_t key);
  void (*path_released)(void* self, uint32_t path);
  void (*prefix_released)(void* self, uint32_t prefix);
  void (*finish)(void* self);
} lapwing_plugin_table;

/* The function that a plugin exports. */
const lapwing_plugin_table* lapwing_plugin(void);

#ifdef __cplusplus
}
#endif

#endif
