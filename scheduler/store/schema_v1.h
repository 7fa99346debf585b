#ifndef BERTH_SCHEDULER_STORE_SCHEMA_V1_H_
#define BERTH_SCHEDULER_STORE_SCHEMA_V1_H_

#include <string>

namespace berth {

// Version 1: the tables, triggers and views of an empty database.
std::string SchemaV1();

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_SCHEMA_V1_H_
