// Names of types, for messages.
#pragma once

#include <string>
#include <typeinfo>

namespace adjoint {

// The name of a type without its namespaces and template arguments: "Linear".
std::string type_name(const std::type_info& type);

}  // namespace adjoint
