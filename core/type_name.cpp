#include <adjoint/core/type_name.h>

#include <cxxabi.h>

#include <cstdlib>

namespace adjoint {

std::string type_name(const std::type_info& type) {
  int status = 0;
  char* demangled = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  std::string name = status == 0 ? demangled : type.name();
  std::free(demangled);
  // Without its template's arguments, which may have colons of their own.
  for (size_t i = name.size(), depth = 0; i-- > 0 && name.back() == '>';) {
    if (name[i] == '>') ++depth;
    if (name[i] == '<' && --depth == 0) name.resize(i);
  }
  const size_t colon = name.rfind(':');
  return colon == std::string::npos ? name : name.substr(colon + 1);
}

}  // namespace adjoint
