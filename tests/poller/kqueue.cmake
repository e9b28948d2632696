# The kqueue poller where there is no kqueue: compiled against a stand-in <sys/event.h>, once under
# the contract suite over a model of kqueue, once under a script.
#
# With ALOOP_TEST_OVER_KQUEUE the whole library uses that model: every test, of loops and sockets
# too, then goes through the kqueue poller. For a build folder of its own.
option(ALOOP_TEST_OVER_KQUEUE "Linux: run all tests over the kqueue poller and a model of it" OFF)

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

    if(ALOOP_TEST_OVER_KQUEUE)
        if(NOT ALOOP_AMALGAMATED)
            target_sources(aloop_static PRIVATE ${kqueue_poller})
        endif()
        target_compile_definitions(aloop_static PRIVATE ALOOP_TEST_KQUEUE)
        target_include_directories(aloop_static BEFORE PRIVATE ${kqueue_support}/include)
        # As an object in each program: an archive would leave out what nobody calls by name.
        add_library(kqueue_model OBJECT ${kqueue_support}/fake_kqueue_epoll.c)
        aloop_compile_options(kqueue_model)
        target_include_directories(kqueue_model BEFORE PRIVATE
            ${kqueue_support}/include ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
        target_compile_definitions(kqueue_model PRIVATE ALOOP_TEST_KQUEUE)
        target_sources(aloop_static INTERFACE $<TARGET_OBJECTS:kqueue_model>)
        # Tests that ask what the default is are told.
        add_compile_definitions(ALOOP_TEST_KQUEUE)
    endif()
endif()
