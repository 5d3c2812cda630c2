/* A detector in C99: an IPv4 prefix longer than a setting allows is announced.
 *
 * docs/DETECTORS.md, "A detector of your own in ten minutes", explains it line by line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lapwing/plugin.h"

typedef struct long_prefix {
  const lapwing_host* host;
  int64_t longest;
  uint64_t seen; /* events so far; durable */
} long_prefix;

static lapwing_text text(const char* s) {
  lapwing_text t;
  t.data = s;
  t.size = strlen(s);
  return t;
}

static void* create(const lapwing_host* host, const char* name) {
  long_prefix* self = calloc(1, sizeof *self);
  (void)name;
  if (self == NULL) return NULL;
  self->host = host;
  self->longest = host->integer_setting(host, "longest", 24, 1, 32);
  return self;
}

static void destroy(void* p) { free(p); }

static void restore_state(void* p, lapwing_text key, lapwing_text value) {
  long_prefix* self = p;
  if (key.size != 4 || memcmp(key.data, "seen", 4) != 0 || value.size != sizeof self->seen) {
    self->host->fail(self->host, "stored state is damaged");
    return;
  }
  memcpy(&self->seen, value.data, sizeof self->seen);
}

static void on_route_change(void* p, const lapwing_route_change* change) {
  long_prefix* self = p;
  const lapwing_host* host = self->host;
  lapwing_nlri nlri;
  lapwing_event event;
  lapwing_evidence evidence;
  lapwing_field field;
  lapwing_text key, value;
  uint32_t hops[64];
  size_t hop_count;
  uint64_t parts[3];
  char summary[128];

  if (change->baseline || change->after == LAPWING_NO_PATH) return;
  memset(&nlri, 0, sizeof nlri);
  nlri.size = sizeof nlri;
  host->nlri(host, change->prefix, &nlri);
  if (nlri.prefix.version != 4 || nlri.prefix.length <= self->longest) return;

  memset(&event, 0, sizeof event);
  event.size = sizeof event;
  event.type = "long-prefix";
  event.action = LAPWING_RAISE;
  event.severity = 5;
  event.cause = change->cause;
  event.last_known = change->last_known;
  hop_count = host->as_path(host, change->after, hops, 64);
  /* 0 is an AS_SET: which of its members originates the prefix is not known. */
  if (hop_count > 0 && hop_count <= 64 && hops[hop_count - 1] != 0) {
    event.has_origin = 1;
    event.origin_as = hops[hop_count - 1];
  }
  ++self->seen;
  parts[0] = self->seen;
  parts[1] = (uint64_t)host->now(host);
  parts[2] = nlri.prefix.length;
  event.id_parts = parts;
  event.id_part_count = 3;
  event.prefixes = &nlri.prefix;
  event.prefix_count = 1;
  event.peers = &change->peer;
  event.peer_count = 1;
  evidence.peer = change->peer;
  evidence.prefix = change->prefix;
  evidence.before = change->before;
  evidence.after = change->after;
  event.evidence = &evidence;
  event.evidence_count = 1;
  memset(&field, 0, sizeof field);
  field.name = "length";
  field.kind = LAPWING_INTEGER;
  field.number = nlri.prefix.length;
  event.fields = &field;
  event.field_count = 1;
  event.rule = text("a prefix longer than `longest` was announced");
  snprintf(summary, sizeof summary, "a /%d was announced", (int)nlri.prefix.length);
  event.summary = text(summary);
  host->emit(host, &event);

  key = text("seen");
  value.data = (const char*)&self->seen;
  value.size = sizeof self->seen;
  host->put_state(host, key, value);
}

static const lapwing_plugin_table table = {
    sizeof(lapwing_plugin_table),
    LAPWING_PLUGIN_ABI,
    LAPWING_ROUTES_LIVE,
    "1.0",
    create,
    destroy,
    restore_state,
    NULL,
    NULL,
    on_route_change,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
};

const lapwing_plugin_table* lapwing_plugin(void) { return &table; }
