/* Every slip that a plugin can make with what it hands over; `mode` says which. */
#include <stdlib.h>
#include <string.h>

#include "lapwing/plugin.h"

#define NOWHERE 99999999u

typedef struct hostile {
  const lapwing_host* host;
  char mode[64];
} hostile;

static lapwing_text text(const char* s) {
  lapwing_text t;
  t.data = s;
  t.size = strlen(s);
  return t;
}

static int is(const hostile* self, const char* mode) { return strcmp(self->mode, mode) == 0; }

static void visit(void* context, const lapwing_route* route) {
  (void)context;
  (void)route;
}

/* Calls that are refused where Lapwing has not called a function of the table but `create`. */
static void early(const hostile* self) {
  const lapwing_host* host = self->host;
  const uint64_t part = 1;
  uint32_t found;
  lapwing_prefix prefix;
  lapwing_event event;
  lapwing_peer peer;
  lapwing_nlri nlri;
  memset(&prefix, 0, sizeof prefix);
  memset(&event, 0, sizeof event);
  memset(&peer, 0, sizeof peer);
  memset(&nlri, 0, sizeof nlri);
  prefix.version = 4;
  peer.size = sizeof peer;
  nlri.size = sizeof nlri;
  if (is(self, "early now")) host->now(host);
  if (is(self, "early path")) host->path(host, 0);
  if (is(self, "early as_path")) host->as_path(host, 0, NULL, 0);
  if (is(self, "early nlri")) host->nlri(host, 0, &nlri);
  if (is(self, "early peer")) host->peer(host, 0, &peer);
  if (is(self, "early watches_prefix")) host->watches_prefix(host, &prefix);
  if (is(self, "early watches_as")) host->watches_as(host, 1);
  if (is(self, "early for_each_route")) host->for_each_route(host, 0, visit, NULL);
  if (is(self, "early set_timer")) host->set_timer(host, 1, 0);
  if (is(self, "early cancel_timer")) host->cancel_timer(host, 1);
  if (is(self, "early put_state")) host->put_state(host, text("a"), text("b"));
  if (is(self, "early erase_state")) host->erase_state(host, text("a"));
  if (is(self, "early emit")) host->emit(host, &event);
  if (is(self, "early find_prefix")) host->find_prefix(host, &nlri, &found);
  if (is(self, "early add_witness")) host->add_witness(host, "odd", &part, 1, 0);
  if (is(self, "no key")) host->integer_setting(host, NULL, 0, 0, 1);
  if (is(self, "no text key")) host->text_setting(host, NULL, "");
  if (is(self, "no fallback")) host->text_setting(host, "other", NULL);
}

static void* create(const lapwing_host* host, const char* name) {
  hostile* self = calloc(1, sizeof *self);
  lapwing_text mode;
  (void)name;
  if (self == NULL) return NULL;
  self->host = host;
  mode = host->text_setting(host, "mode", "");
  memcpy(self->mode, mode.data, mode.size < 63 ? mode.size : 63);
  early(self);
  return self;
}

static void destroy(void* p) {
  const hostile* self = p;
  const uint64_t part = 2;
  lapwing_event event;
  memset(&event, 0, sizeof event);
  event.size = sizeof event;
  event.type = "odd";
  event.id_parts = &part;
  event.id_part_count = 1;
  self->host->emit(self->host, &event); /* refused, and nobody hears of it */
  free(p);
}

static void ask(const hostile* self, const lapwing_route_change* change) {
  const lapwing_host* host = self->host;
  const uint64_t part = 1;
  uint32_t hop, found;
  lapwing_prefix prefix;
  lapwing_peer peer;
  lapwing_nlri nlri;
  lapwing_text bad;
  memset(&prefix, 0, sizeof prefix);
  memset(&peer, 0, sizeof peer);
  memset(&nlri, 0, sizeof nlri);
  bad.data = NULL;
  bad.size = 3;
  peer.size = sizeof peer;
  nlri.size = sizeof nlri;
  if (is(self, "path id")) host->path(host, NOWHERE);
  if (is(self, "as_path id")) host->as_path(host, NOWHERE, &hop, 1);
  if (is(self, "no hops")) host->as_path(host, change->after, NULL, 1);
  if (is(self, "nlri id")) host->nlri(host, NOWHERE, &nlri);
  if (is(self, "no nlri")) host->nlri(host, change->prefix, NULL);
  if (is(self, "nlri size")) nlri.size = 0, host->nlri(host, change->prefix, &nlri);
  if (is(self, "peer id")) host->peer(host, NOWHERE, &peer);
  if (is(self, "no peer")) host->peer(host, change->peer, NULL);
  if (is(self, "no found nlri")) host->find_prefix(host, NULL, &found);
  if (is(self, "no found id"))
    host->nlri(host, change->prefix, &nlri), host->find_prefix(host, &nlri, NULL);
  if (is(self, "found version")) host->find_prefix(host, &nlri, &found);
  if (is(self, "watched version")) prefix.version = 5, host->watches_prefix(host, &prefix);
  if (is(self, "no watched prefix")) host->watches_prefix(host, NULL);
  if (is(self, "route id")) host->for_each_route(host, NOWHERE, visit, NULL);
  if (is(self, "no visitor")) host->for_each_route(host, change->prefix, NULL, NULL);
  if (is(self, "state key")) host->put_state(host, bad, text("b"));
  if (is(self, "state value")) host->put_state(host, text("a"), bad);
  if (is(self, "erased key")) host->erase_state(host, bad);
  if (is(self, "late setting")) host->integer_setting(host, "mode", 0, 0, 1);
  if (is(self, "late text setting")) host->text_setting(host, "mode", "");
  if (is(self, "no witness type")) host->add_witness(host, NULL, &part, 1, change->peer);
  if (is(self, "witness type")) host->add_witness(host, "Odd", &part, 1, change->peer);
  if (is(self, "no witness parts")) host->add_witness(host, "odd", NULL, 3, change->peer);
  if (is(self, "witness peer")) host->add_witness(host, "odd", &part, 1, NOWHERE);
  if (is(self, "no event")) host->emit(host, NULL);
  if (is(self, "fail")) host->fail(host, "\xff gave up");
}

static void tell(const hostile* self, const lapwing_route_change* change) {
  static const char* const kTypes[] = {"new-upstream", "event-storm", "detector-failed"};
  const lapwing_host* host = self->host;
  const uint64_t part = 1;
  char long_type[66], long_text[8000];
  lapwing_prefix prefix;
  lapwing_evidence evidence;
  lapwing_field fields[65];
  lapwing_event event;
  size_t i;
  memset(&prefix, 0, sizeof prefix);
  memset(fields, 0, sizeof fields);
  memset(&event, 0, sizeof event);
  memset(long_type, 't', 65);
  long_type[65] = 0;
  prefix.version = 4;
  evidence.peer = change->peer;
  evidence.prefix = change->prefix;
  evidence.before = change->before;
  evidence.after = change->after;
  event.size = sizeof event;
  event.type = "odd";
  event.severity = 4;
  event.last_known = LAPWING_NO_TIME;
  event.id_parts = &part;
  event.id_part_count = 1;
  event.prefixes = &prefix;
  event.prefix_count = 1;
  event.peers = &change->peer;
  event.peer_count = 1;
  event.evidence = &evidence;
  event.evidence_count = 1;
  fields[0].name = "a";
  event.fields = fields;
  event.field_count = 1;
  for (i = 0; i < 3; ++i)
    if (is(self, kTypes[i])) event.type = kTypes[i];
  if (is(self, "long type")) event.type = long_type;
  if (is(self, "action")) event.action = 7;
  if (is(self, "severity")) event.severity = 99;
  if (is(self, "cause")) event.cause = 77;
  if (is(self, "last known")) event.last_known = host->now(host) + 1;
  if (is(self, "first known")) event.last_known = LAPWING_NO_TIME + 1;
  if (is(self, "no parts")) event.id_part_count = 0;
  if (is(self, "id_parts")) event.id_parts = NULL, event.id_part_count = 3;
  if (is(self, "incident_parts")) event.incident_part_count = 3;
  if (is(self, "prefixes")) event.prefixes = NULL;
  if (is(self, "peers")) event.peers = NULL;
  if (is(self, "evidence")) event.evidence = NULL;
  if (is(self, "fields")) event.fields = NULL;
  if (is(self, "rule")) event.rule.size = 5;
  if (is(self, "summary")) event.summary.size = 5;
  if (is(self, "version")) prefix.version = 5;
  if (is(self, "length")) prefix.length = 33;
  if (is(self, "length6")) prefix.version = 6, prefix.length = 129;
  if (is(self, "unknown peer")) evidence.peer = NOWHERE, event.peers = &evidence.peer;
  if (is(self, "evidence peer")) evidence.peer = NOWHERE;
  if (is(self, "evidence prefix")) evidence.prefix = NOWHERE;
  if (is(self, "evidence before")) evidence.before = NOWHERE;
  if (is(self, "evidence after")) evidence.after = NOWHERE;
  if (is(self, "one name twice")) fields[1].name = "a", event.field_count = 2;
  if (is(self, "shared name")) fields[0].name = "peers";
  if (is(self, "kind")) fields[0].kind = 9;
  if (is(self, "field text")) fields[0].kind = LAPWING_TEXT, fields[0].text.size = 4;
  if (is(self, "field time")) fields[0].kind = LAPWING_TIME, fields[0].number = INT64_MAX;
  if (is(self, "many fields")) event.field_count = 65;
  if (is(self, "ends")) event.ends = "odd  Foo";
  if (is(self, "texts")) {
    /* "é" divided at the end of what is kept, and octets that are no UTF-8 at all. */
    for (i = 0; i < sizeof long_text; i += 2) memcpy(long_text + i, "\xc3\xa9", 2);
    event.summary.data = long_text + 1;
    event.summary.size = sizeof long_text - 1;
    event.rule = text("rule \xff\xfe");
    fields[0].kind = LAPWING_TEXT;
    fields[0].text = text("\xc3");
    prefix.length = 8;
    prefix.address[0] = 10;
    prefix.address[3] = 9;
  }
  host->emit(host, &event);
}

static void on_route_change(void* p, const lapwing_route_change* change) {
  const hostile* self = p;
  uint32_t hop;
  if (is(self, "no path") && self->host->as_path(self->host, LAPWING_NO_PATH, &hop, 1) == 0 &&
      self->host->path(self->host, LAPWING_NO_PATH).size == 0) {
    self->host->put_state(self->host, text("empty"), text(""));
    return;
  }
  if (is(self, "find")) {
    lapwing_nlri nlri;
    memset(&nlri, 0, sizeof nlri);
    nlri.size = sizeof nlri;
    self->host->nlri(self->host, change->prefix, &nlri);
    if (self->host->find_prefix(self->host, &nlri, &hop) == 1 && hop == change->prefix) {
      nlri.has_path_id = 1;
      if (self->host->find_prefix(self->host, &nlri, &hop) == 0)
        self->host->put_state(self->host, text("found"), text(""));
    }
    return;
  }
  ask(self, change);
  tell(self, change);
}

static const lapwing_plugin_table table = {
    sizeof(lapwing_plugin_table),
    LAPWING_PLUGIN_ABI,
#ifdef ROUTES
    ROUTES,
#else
    LAPWING_ROUTES_LIVE,
#endif
    "1.0",
    create,
    destroy,
    NULL,
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
