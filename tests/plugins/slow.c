/* A detector that takes its time: `microseconds` for each change. */
#include <stdlib.h>
#include <time.h>

#include "lapwing/plugin.h"

typedef struct slow {
  struct timespec pause;
} slow;

static void* create(const lapwing_host* host, const char* name) {
  slow* self = calloc(1, sizeof *self);
  (void)name;
  if (self == NULL) return NULL;
  self->pause.tv_nsec = (long)host->integer_setting(host, "microseconds", 1000, 1, 999999) * 1000;
  return self;
}

static void destroy(void* p) { free(p); }

static void on_route_change(void* p, const lapwing_route_change* change) {
  const slow* self = p;
  (void)change;
  nanosleep(&self->pause, NULL);
}

const lapwing_plugin_table* lapwing_plugin(void) {
  static lapwing_plugin_table table;
  table.size = sizeof table;
  table.abi = LAPWING_PLUGIN_ABI;
  table.routes = LAPWING_ROUTES_ALL;
  table.version = "1";
  table.create = create;
  table.destroy = destroy;
  table.on_route_change = on_route_change;
  return &table;
}
