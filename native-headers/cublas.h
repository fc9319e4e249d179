/* What the bindings of cuBLAS are generated from; the include list is cublas.args. */
#include <cublas_v2.h>
