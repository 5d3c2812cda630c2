# Tests that are programs of their own: lint, replay, interop and the lab.
#
# Labels: lint, replay, interop, lab. What runs routers holds the lock "routers": one at a time, so
# that no test waits for another's CPU. Replays, and receivers of events that a sink is played with,
# have the lock "receivers": one of them runs beside. Exit code 77 says that this machine cannot run
# the test.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

add_test(NAME lint COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/lint/rooms.py)
add_test(NAME lint_self_test
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/lint/rooms.py --self-test)
add_test(NAME lint_includes
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/lint/includes.py)
add_test(NAME lint_includes_self_test
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/lint/includes.py --self-test)
set_tests_properties(lint lint_self_test lint_includes lint_includes_self_test
  PROPERTIES LABELS lint TIMEOUT 60)

# lapwing_program_test(NAME name LABEL label SCRIPT file [ARGS …] [TIMEOUT s] [LOCK routers]): runs
# the script with --binary lapwing.
function(lapwing_program_test)
  cmake_parse_arguments(arg "" "NAME;LABEL;SCRIPT;TIMEOUT;LOCK" "ARGS" ${ARGN})
  if(NOT arg_LOCK)
    set(arg_LOCK routers)
  endif()
  add_test(NAME ${arg_NAME}
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/${arg_SCRIPT}
      --binary $<TARGET_FILE:lapwing> ${arg_ARGS})
  set_tests_properties(${arg_NAME} PROPERTIES
    LABELS ${arg_LABEL}
    TIMEOUT ${arg_TIMEOUT}
    SKIP_RETURN_CODE 77
    RESOURCE_LOCK ${arg_LOCK}
    ENVIRONMENT "LAPWING_SHARED_DATA=${PROJECT_SOURCE_DIR}/../shared/data")
endfunction()

if(TARGET lapwing)
  foreach(case story scenarios twice counts jinx streams options)
    lapwing_program_test(NAME replay_${case} LABEL replay SCRIPT replay/run.py ARGS ${case}
      TIMEOUT 120 LOCK receivers)
  endforeach()
  foreach(case alarms cli config dump end max_prefix record reset restart silent syslog tables
      transport withdraw)
    lapwing_program_test(NAME interop_${case} LABEL interop SCRIPT interop/${case}.py TIMEOUT 90)
  endforeach()
  lapwing_program_test(NAME interop_tables_full LABEL interop SCRIPT interop/tables.py ARGS --full
    TIMEOUT 240)
  # Routers of others: the walk of tests/interop/routers.py, and 100,000 routes.
  foreach(router exabgp frr gobgp openbgpd)
    lapwing_program_test(NAME interop_${router} LABEL interop SCRIPT interop/${router}.py TIMEOUT 240)
  endforeach()
  # GoBGP takes half a minute to say what it sends.
  foreach(router exabgp frr gobgp openbgpd)
    lapwing_program_test(NAME interop_${router}_full LABEL interop SCRIPT interop/${router}.py
      ARGS --full TIMEOUT 400)
  endforeach()
  lapwing_program_test(NAME interop_sink_judges LABEL interop SCRIPT interop/sink_judges.py
    TIMEOUT 300 LOCK receivers)
  # By hand with --full: two minutes for each outage of a receiver and of the disk.
  lapwing_program_test(NAME interop_sink_outages LABEL interop SCRIPT interop/sink_outages.py
    TIMEOUT 400 LOCK receivers)
  lapwing_program_test(NAME interop_sink_bgp LABEL interop SCRIPT interop/sink_bgp.py TIMEOUT 240)
  lapwing_program_test(NAME interop_sink_bgp_disk LABEL interop SCRIPT interop/sink_bgp.py ARGS --disk
    TIMEOUT 240)
  foreach(case journald webhook)
    lapwing_program_test(NAME interop_${case} LABEL interop SCRIPT interop/${case}.py TIMEOUT 240
      LOCK receivers)
  endforeach()
  lapwing_program_test(NAME interop_hostile_disk LABEL interop SCRIPT interop/hostile.py ARGS --disk
    TIMEOUT 180)
  foreach(case api hostile notify reload ris slow_plugin ten tls)
    lapwing_program_test(NAME interop_${case} LABEL interop SCRIPT interop/${case}.py TIMEOUT 180)
  endforeach()
  lapwing_program_test(NAME interop_slow LABEL interop SCRIPT interop/slow.py TIMEOUT 400)
  # Two minutes of a day; `tests/interop/soak.py --binary lapwing --seconds 1800` by hand.
  lapwing_program_test(NAME interop_soak LABEL interop SCRIPT interop/soak.py ARGS --seconds 120
    TIMEOUT 400)
  lapwing_program_test(NAME package LABEL package SCRIPT package/run.py TIMEOUT 180
    ARGS --build ${PROJECT_BINARY_DIR})
  lapwing_program_test(NAME lab_story LABEL lab SCRIPT lab/story.py TIMEOUT 180)
endif()
