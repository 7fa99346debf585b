#include "common/matrix.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace berth {
namespace {

using Values = std::vector<std::string>;

MatrixParameter Parameter(const std::string& name, const Values& values) {
  return {name, values};
}

std::string FaultOf(const std::string& name, const Values& values) {
  const Matrix matrix = {Parameter(name, values)};
  return FindMatrixFault(matrix);
}

const Matrix kSweep = {Parameter("lr", {"1e-4", "3e-4"}), Parameter("seed", {"1", "2", "3"})};

TEST(Matrix, TheFirstParameterIsTheSlowest) {
  EXPECT_EQ(CountCombinations(kSweep, 100), 6);
  EXPECT_EQ(CombinationAt(kSweep, 0), (Values{"1e-4", "1"}));
  EXPECT_EQ(CombinationAt(kSweep, 2), (Values{"1e-4", "3"}));
  EXPECT_EQ(CombinationAt(kSweep, 3), (Values{"3e-4", "1"}));
  EXPECT_EQ(CombinationAt(kSweep, 5), (Values{"3e-4", "3"}));
}

TEST(Matrix, AnIndexWithoutACombinationHasNoValues) {
  EXPECT_TRUE(CombinationAt(kSweep, 6).empty());
  EXPECT_TRUE(CombinationAt(kSweep, -1).empty());
  EXPECT_TRUE(CombinationAt({}, 0).empty());
  const Matrix without = {Parameter("lr", {})};
  EXPECT_TRUE(CombinationAt(without, 0).empty());
}

TEST(Matrix, ACountEndsBehindItsBound) {
  const MatrixParameter ten = Parameter("a", Values(10, "x"));
  EXPECT_EQ(CountCombinations(Matrix(3, ten), 1000), 1000);
  EXPECT_EQ(CountCombinations(Matrix(3, ten), 999), 1000);
  EXPECT_EQ(CountCombinations(Matrix(100, ten), 1000 * 1000), 1000 * 1000 + 1);
  EXPECT_EQ(CountCombinations({}, 1000), 0);
}

TEST(Matrix, VariablesAreInUpperCase) {
  EXPECT_EQ(ParameterVariable("lr_Max2"), "BERTH_PARAM_LR_MAX2");
}

TEST(Matrix, FaultsAreFound) {
  EXPECT_EQ(FindMatrixFault(kSweep), "");
  EXPECT_EQ(FindMatrixFault({}), "");
  const std::vector<std::string> names = {"", "l-r", "\xc3\xa4", std::string(65, 'n')};
  for (const std::string& name : names) {
    EXPECT_NE(FaultOf(name, {"1"}), "") << name;
  }
  EXPECT_NE(FaultOf("lr", {}), "");
  const std::vector<std::string> values = {"", "1", "2\n3", std::string("2\0", 2),
                                           std::string(64 << 10, '2')};
  for (const std::string& value : values) {
    EXPECT_NE(FaultOf("lr", {"1", value}), "") << value.substr(0, 9);
  }
  const Matrix twice = {Parameter("lr", {"1"}), Parameter("LR", {"2"})};
  EXPECT_EQ(FindMatrixFault(twice), "two parameters would be BERTH_PARAM_LR");
}

}  // namespace
}  // namespace berth
