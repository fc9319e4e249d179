/* What the bindings of the CUDA driver API are generated from; the include list is driver.args. */
#include <cuda.h>

/*
 * Headers of CUDA 13 rename cuEventElapsedTime to cuEventElapsedTime_v2, which only drivers from 12.8 on
 * export. The plain name has the same signature and is in every driver.
 */
#undef cuEventElapsedTime
CUresult CUDAAPI cuEventElapsedTime(float *pMilliseconds, CUevent hStart, CUevent hEnd);
