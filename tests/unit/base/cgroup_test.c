/* Limits of the container: both versions, nested groups, and machines without any. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cgroup.h"
#include "base/clock.h"
#include "base/file.h"
#include "support/temp_folder.h"

static char *root;

static int set_up(void **state)
{
    (void)state;
    root = temp_folder_make();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    temp_folder_remove(root);
    return 0;
}

/* path: from the root, as the kernel has it. */
static void put(const char *path, const char *text)
{
    char *whole = file_join(root, path);
    char *folder = strdup(whole);
    *strrchr(folder, '/') = '\0';
    assert_int_equal(file_make_folder(folder, NULL), 0);
    assert_int_equal(file_write_atomic(whole, text, strlen(text), NULL), 0);
    free(folder);
    free(whole);
}

static void test_version_2_in_a_container(void **state)
{
    (void)state;
    put("proc/self/cgroup", "0::/\n");
    put("sys/fs/cgroup/cpu.max", "150000 100000\n");
    put("sys/fs/cgroup/cpu.stat", "usage_usec 12\nnr_periods 40\nnr_throttled 7\nthrottled_usec 2500\n");
    put("sys/fs/cgroup/memory.max", "1073741824\n");
    assert_true(fabs(cgroup_cpu_quota(root) - 1.5) < 1e-12);
    assert_in_range(cgroup_cpus(root), 1, 2);
    assert_int_equal(cgroup_throttling(root).periods, 7);
    assert_int_equal(cgroup_throttling(root).throttled_ns, 2500 * NS_PER_US);
    assert_int_equal(cgroup_memory_limit(root), INT64_C(1) << 30);
}

static void test_a_tenth_of_a_cpu_is_one_worker(void **state)
{
    (void)state;
    put("proc/self/cgroup", "0::/\n");
    put("sys/fs/cgroup/cpu.max", "10000 100000\n");
    assert_int_equal(cgroup_cpus(root), 1);
}

static void test_the_smallest_limit_of_all_groups_above_holds(void **state)
{
    (void)state;
    put("proc/self/cgroup", "0::/kubepods/pod1/box\n");
    put("sys/fs/cgroup/kubepods/cpu.max", "800000 100000\n");
    put("sys/fs/cgroup/kubepods/memory.max", "max\n");
    put("sys/fs/cgroup/kubepods/pod1/cpu.max", "50000 100000\n");
    put("sys/fs/cgroup/kubepods/pod1/memory.max", "4096000\n");
    put("sys/fs/cgroup/kubepods/pod1/box/cpu.max", "max 100000\n");
    put("sys/fs/cgroup/kubepods/pod1/box/memory.max", "8192000\n");
    put("sys/fs/cgroup/kubepods/pod1/box/cpu.stat", "nr_throttled 3\nthrottled_usec 1\n");
    assert_true(fabs(cgroup_cpu_quota(root) - 0.5) < 1e-12);
    assert_int_equal(cgroup_memory_limit(root), 4096000);
    assert_int_equal(cgroup_throttling(root).periods, 3);
}

/* The path is the host's, and only our part of the tree is mounted. */
static void test_a_path_that_is_not_there_means_the_top(void **state)
{
    (void)state;
    put("proc/self/cgroup", "0::/kubepods.slice/pod7/cri-containerd-1\n");
    put("sys/fs/cgroup/cpu.max", "300000 100000\n");
    assert_true(fabs(cgroup_cpu_quota(root) - 3) < 1e-12);
}

static void test_version_1(void **state)
{
    (void)state;
    put("proc/self/cgroup", "5:memory:/docker/1\n4:cpu,cpuacct:/docker/1\n1:name=systemd:/\n0::/\n");
    put("sys/fs/cgroup/cpu/docker/1/cpu.cfs_quota_us", "250000\n");
    put("sys/fs/cgroup/cpu/docker/1/cpu.cfs_period_us", "100000\n");
    put("sys/fs/cgroup/cpu/docker/1/cpu.stat", "nr_periods 9\nnr_throttled 2\nthrottled_time 123456\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    put("sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes", "536870912\n");
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    assert_true(fabs(cgroup_cpu_quota(root) - 2.5) < 1e-12);
    assert_int_equal(cgroup_throttling(root).throttled_ns, 123456);
    assert_int_equal(cgroup_memory_limit(root), 536870912);
}

static void test_no_groups_no_limits(void **state)
{
    (void)state;
    assert_true(isinf(cgroup_cpu_quota(root)));
    assert_true(cgroup_cpus(root) >= 1);
    assert_int_equal(cgroup_throttling(root).throttled_ns, -1);
    assert_int_equal(cgroup_memory_limit(root), -1);
}

/* What is not a number is no limit. */
static void test_nonsense_limits_nothing(void **state)
{
    (void)state;
    put("proc/self/cgroup", "\n0\n0::\nx:y\n0::/\n");
    put("sys/fs/cgroup/cpu.max", "fast\n");
    put("sys/fs/cgroup/cpu.stat", "throttled_usecs 5\n");
    put("sys/fs/cgroup/memory.max", "-5\n");
    assert_true(isinf(cgroup_cpu_quota(root)));
    assert_int_equal(cgroup_throttling(root).throttled_ns, -1);
    assert_int_equal(cgroup_memory_limit(root), -1);
    put("sys/fs/cgroup/cpu.max", "100000 0\n");
    assert_true(isinf(cgroup_cpu_quota(root)));
    put("sys/fs/cgroup/cpu.max", "");
    assert_true(isinf(cgroup_cpu_quota(root)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_version_2_in_a_container, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_tenth_of_a_cpu_is_one_worker, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_smallest_limit_of_all_groups_above_holds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_path_that_is_not_there_means_the_top, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_version_1, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_groups_no_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nonsense_limits_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
