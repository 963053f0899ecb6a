#include <adjoint/core/device_info.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "core/kernels/kernels.h"

namespace adjoint {
namespace {

// The quota in processors, or 0 for none. cgroup v2 writes "max 100000" or "150000 100000".
double quota_v2(const std::string& folder) {
  std::ifstream file(folder + "/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return 0;
  std::istringstream number(quota);
  double value = 0;
  return (number >> value) ? value / period : 0;
}

double quota_v1() {
  std::ifstream quota_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  std::ifstream period_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  double quota = 0, period = 0;
  if (!(quota_file >> quota) || !(period_file >> period) || quota <= 0 || period <= 0) return 0;
  return quota / period;
}

// The tightest quota on the way from this process's cgroup up to the root.
double cgroup_quota() {
  double tightest = quota_v1();
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("0::", 0) != 0) continue;
    std::string path = line.substr(3);
    while (true) {
      const double quota = quota_v2("/sys/fs/cgroup" + path);
      if (quota > 0 && (tightest == 0 || quota < tightest)) tightest = quota;
      const size_t slash = path.rfind('/');
      if (path.empty() || slash == std::string::npos) break;
      path.resize(slash);
    }
  }
  return tightest;
}

}  // namespace

int available_processors() {
  int count = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) count = std::max(1, CPU_COUNT(&set));
  const double quota = cgroup_quota();
  if (quota > 0) count = std::min(count, std::max(1, static_cast<int>(std::ceil(quota))));
  return count;
}

int64_t l2_cache_bytes() {
  static const int64_t bytes = [] {
    int64_t told = 0;
#ifdef _SC_LEVEL2_CACHE_SIZE
    told = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
    return told > 0 ? told : int64_t{512} << 10;
  }();
  return bytes;
}

std::string instruction_set() { return kernels::isa_name(); }

const char* version() { return ADJOINT_VERSION; }

}  // namespace adjoint
