# The kqueue poller where there is no kqueue: compiled against a stand-in <sys/event.h>, once under the
# contract suite over a model of kqueue, once under a script.
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    set(kqueue_support ${CMAKE_CURRENT_SOURCE_DIR}/support/kqueue)
    set(kqueue_poller ${PROJECT_SOURCE_DIR}/src/poller/kqueue.c)
    foreach(name contract contract_fds)
        aloop_add_test(${CMAKE_CURRENT_SOURCE_DIR}/poller/test_${name}.c
            NAME ${name}_kqueue
            SOURCES ${kqueue_poller} ${kqueue_support}/fake_kqueue_epoll.c
            INCLUDES ${kqueue_support}/include ${kqueue_support}
            DEFINITIONS ALOOP_TEST_KQUEUE)
    endforeach()
    aloop_add_test(${CMAKE_CURRENT_SOURCE_DIR}/poller/test_kqueue_quirks.c
        SOURCES ${kqueue_poller} ${kqueue_support}/fake_kevent.c
        INCLUDES ${kqueue_support}/include ${kqueue_support}
        DEFINITIONS ALOOP_TEST_KQUEUE)
endif()
