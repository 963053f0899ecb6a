#include "core/io/temporary.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <optional>
#include <span>

#include "core/io/crc32c.h"

namespace adjoint::io {
namespace {

constexpr std::string_view kPrefix = ".tmp-";

std::string host_id() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) name[0] = '\0';
  const std::string_view text(name.data());
  return crc32c_hex(crc32c(0, std::as_bytes(std::span(text))));
}

// When a process started, in clock ticks since boot: the 22nd field of /proc/PID/stat. Nothing
// where the system does not tell.
std::optional<uint64_t> start_of(uint64_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::array<char, 1024> buffer;
  const ssize_t n = ::read(fd, buffer.data(), buffer.size());
  ::close(fd);
  std::string_view text(buffer.data(), n > 0 ? static_cast<size_t>(n) : 0);
  // The second field, the program's name in parentheses, may hold anything.
  size_t at = text.rfind(')');
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + 1);
  for (int field = 2; field < 22; ++field) {
    at = text.find(' ');
    if (at == std::string_view::npos) return std::nullopt;
    text.remove_prefix(at + 1);
  }
  uint64_t start = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), start).ec != std::errc()) {
    return std::nullopt;
  }
  return start;
}

// Takes the last dot-separated part off the text.
std::string_view take_last(std::string_view* text) {
  const size_t dot = text->rfind('.');
  if (dot == std::string_view::npos) return {};
  const std::string_view part = text->substr(dot + 1);
  *text = text->substr(0, dot);
  return part;
}

std::optional<uint64_t> to_number(std::string_view text) {
  uint64_t value = 0;
  const auto end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return value;
}

}  // namespace

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string name_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

std::string temporary_beside(const std::string& target) {
  static std::atomic<uint64_t> count{0};
  const auto pid = static_cast<uint64_t>(::getpid());
  // File names have at most 255 bytes.
  const std::string name = name_of(target).substr(0, 150);
  return parent_of(target) + "/" + std::string(kPrefix) + name + "." + host_id() + "." +
         std::to_string(pid) + "." + std::to_string(start_of(pid).value_or(0)) + "." +
         std::to_string(count.fetch_add(1));
}

bool is_stale_temporary(std::string_view name) {
  if (!name.starts_with(kPrefix)) return false;
  const auto count = to_number(take_last(&name));
  const auto start = to_number(take_last(&name));
  const auto pid = to_number(take_last(&name));
  const std::string_view host = take_last(&name);
  if (!count || !start || !pid || *pid == 0 || *pid > INT32_MAX || host != host_id()) return false;
  if (::kill(static_cast<pid_t>(*pid), 0) != 0 && errno == ESRCH) return true;
  const auto now = start_of(*pid);
  return now && *start != 0 && *now != *start;
}

}  // namespace adjoint::io
