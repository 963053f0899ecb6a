// Errors: every failure of the library is one of these exceptions.
//
// A message reads `op: what is wrong: the values; what was expected; hint`.
// All functions here are safe to call from any thread.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace adjoint {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Sizes that do not fit together, or a dimension out of range.
class ShapeError : public Error {
 public:
  using Error::Error;
};

// A dtype that an operator does not take.
class DTypeError : public Error {
 public:
  using Error::Error;
};

// An index outside of what it indexes.
class IndexError : public Error {
 public:
  using Error::Error;
};

// A graph that cannot be differentiated as asked.
class AutogradError : public Error {
 public:
  using Error::Error;
};

// Files: missing, unreadable, cut off, corrupt, or not what their format says.
class IoError : public Error {
 public:
  using Error::Error;
};

// Options and configurations: an unknown name, a value out of range.
class ConfigError : public Error {
 public:
  using Error::Error;
};

namespace detail {
template <class E, class... Parts>
[[noreturn, gnu::cold, gnu::noinline]] void throw_error(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  throw E(text.str());
}
}  // namespace detail

// Throws E with the parts written one after the other, unless ok. Nothing is formatted when it is.
template <class E = Error, class... Parts>
inline void check(bool ok, const Parts&... parts) {
  if (!ok) [[unlikely]] {
    detail::throw_error<E>(parts...);
  }
}

// Throws E with the parts written one after the other.
template <class E = Error, class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  detail::throw_error<E>(parts...);
}

}  // namespace adjoint
