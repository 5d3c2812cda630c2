/* Plugins that must be refused; BROKEN says how this one is broken. */
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "lapwing/plugin.h"

#define NO_SYMBOL 1
#define WRONG_ABI 2
#define CRASH 3
#define ENDS 4
#define NO_CREATE 5
#define REFUSES 6
#define SMALLER 7

static void* create(const lapwing_host* host, const char* name) {
  static int self;
  (void)name;
#if BROKEN == REFUSES
  host->fail(host, "needs a licence");
  return NULL;
#endif
  (void)host;
  return &self;
}

static const lapwing_plugin_table table = {
#if BROKEN == SMALLER
    /* As a plugin would say that was built when the table ended with `create`. */
    offsetof(lapwing_plugin_table, destroy),
#else
    sizeof(lapwing_plugin_table),
#endif
    BROKEN == WRONG_ABI ? LAPWING_PLUGIN_ABI + 1 : LAPWING_PLUGIN_ABI,
    LAPWING_ROUTES_ALL,
    "0",
    BROKEN == NO_CREATE ? NULL : create,
    /* Never called by a host that minds `size`. */
    BROKEN == SMALLER ? (void (*)(void*))1 : NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
};

#if BROKEN == NO_SYMBOL
const lapwing_plugin_table* lapwing_plugin_v0(void) { return &table; }
#else
const lapwing_plugin_table* lapwing_plugin(void) {
#if BROKEN == CRASH
  raise(SIGSEGV);
#elif BROKEN == ENDS
  _exit(0);
#endif
  return &table;
}
#endif
