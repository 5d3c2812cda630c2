// Names the calling thread, for top(1), perf(1) and a debugger.
//
// Thread: any. Owns: nothing.
#pragma once

#include <pthread.h>

namespace lapwing {

/// At most 15 characters; a longer name is refused and changes nothing.
inline void name_thread(const char* name) { ::pthread_setname_np(::pthread_self(), name); }

}  // namespace lapwing
